from __future__ import annotations

import unicodedata

import numpy as np
import pytest

pytest.importorskip("PIL")
import trees

from kinfold.base.ranking import Ranking
from kinfold.datasets.collection import Collection, all_of, find_photos
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.images.decode import decode


def one(path, box, turns=None) -> Collection:
    truth = GroundTruth.from_dict(
        {"imlist": ["a"], "qimlist": ["a"], "gnd": [{"ok": [0], "junk": [], "bbx": box}]}
    )
    return Collection("one", truth, (path,), (path,), ("oxford",), turns or {})


def test_a_crop_is_seen_at_the_scale_of_its_photo(tmp_path) -> None:
    path = tmp_path / "a.png"
    trees.photo(path, 0, 400, 200)
    whole = decode(path).pixels
    (crop,) = one(path, [99.6, 20, 200.2, 120]).queries()
    assert np.array_equal(crop, whole[20:120, 100:200])
    (small,) = one(path, [100, 20, 200, 120]).queries(max_side=100)
    assert small.shape == (25, 25, 3)
    (same,) = one(path, [100, 20, 200, 120]).queries(max_side=900)
    assert same.shape == (100, 100, 3), "never enlarged"
    (beyond,) = one(path, [-5, -5, 900, 900]).queries()
    assert beyond.shape == whole.shape
    with pytest.raises(ValueError, match="outside its 400 x 200"):
        list(one(path, [500, 20, 600, 120]).queries())


def test_turns(tmp_path) -> None:
    path = tmp_path / "a.png"
    trees.photo(path, 0, 40, 30)
    whole = decode(path).pixels
    right = one(path, None, {"a": 1})
    (turned,) = right.photos()
    assert turned.shape == (40, 30, 3) and np.array_equal(turned[0, -1], whole[0, 0])
    assert np.array_equal(next(right.queries()), turned)
    (small,) = right.photos(max_side=20)
    assert small.shape == (20, 15, 3)


def test_photos_are_found_by_name(tmp_path) -> None:
    for name in ("x/b.jpg", "a.JPG", "c.txt", "x/a.png"):
        (tmp_path / "jpg" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "jpg" / name).touch()
    assert list(find_photos(tmp_path, ("nothing", "jpg"), "put them there")) == ["a", "b"]
    by_path = find_photos(tmp_path, ("jpg",), "put them there", by_path=True)
    assert list(by_path) == ["a", "x/a", "x/b"]
    with pytest.raises(FileNotFoundError, match="^put them there$"):
        find_photos(tmp_path, ("images",), "put them there")
    with pytest.raises(
        FileNotFoundError, match=r"put them there \(1 photos are missing, such as z\)"
    ):
        all_of(by_path, ["a", "z"], "put them there")


def test_evaluate(tmp_path) -> None:
    results = one(tmp_path, None).evaluate(Ranking.from_ids([[0]]))
    assert list(results) == ["oxford"] and results["oxford"].map == 1


def test_names_from_other_systems(tmp_path) -> None:
    """Accents as letters or as marks, and what a system keeps beside its photos."""
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        folder = tmp_path / form / "jpg"
        trees.photo(folder / f"{unicodedata.normalize(form, 'café')}.jpg", 1)
        (folder / "._b.jpg").write_bytes(b"x")
        found = find_photos(tmp_path / form, ["jpg"], "what belongs where")
        assert len(found) == 1
        [path] = all_of(found, [unicodedata.normalize(other, "café")], "what belongs where")
        assert path.is_file()
        with pytest.raises(FileNotFoundError, match="such as cafe"):
            all_of(found, ["cafe"], "what belongs where")
