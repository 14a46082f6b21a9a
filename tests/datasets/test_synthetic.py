"""Rendered collections: the same again, and with a ground truth that fits."""

from __future__ import annotations

import json

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from kinfold.datasets.synthetic import VIEWS, render_collection
from kinfold.evaluate.ground_truth import GroundTruth

SMALL = {"scenes": 2, "views": 9, "queries_per_scene": 2, "distractors": 3, "size": (160, 120)}


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collection")
    return folder, render_collection(folder, **SMALL, seed=3, verbose=False)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "jpg").iterdir())}


def test_ground_truth_fits(collection) -> None:
    folder, truth = collection
    assert json.loads((folder / "ground_truth.json").read_text()) == truth
    checked = GroundTruth.from_json(folder / "ground_truth.json")
    assert len(checked.imlist) == 2 * 9 + 3
    assert len(checked.qimlist) == 2 * 2
    assert not set(checked.imlist) & set(checked.qimlist)
    assert len(set(checked.qimlist)) == 4
    for q, (name, entry) in enumerate(zip(checked.qimlist, checked.gnd)):
        mine = [
            i
            for i, image in enumerate(checked.imlist)
            if image[5:8] == name[5:8] and image[0] == "p"
        ]
        assert sorted([*entry["ok"], *entry["junk"]]) == mine
        assert len(entry["ok"]) >= 4, q
        x0, y0, x1, y1 = entry["bbx"]
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 120
        assert (x1 - x0) * (y1 - y0) > 0.03 * 160 * 120


def test_photos_are_all_there_and_no_others(collection) -> None:
    folder, truth = collection
    names = {f"{name}.jpg" for name in [*truth["imlist"], *truth["qimlist"]]}
    contents = files(folder)
    assert set(contents) == names
    for name, data in contents.items():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (120, 160, 3), name
        assert pixels.std() > 6, f"{name} shows something"
    assert len(set(contents.values())) == len(names), "no two photos are alike"


def test_same_seed_same_bytes(collection, tmp_path) -> None:
    folder, truth = collection
    again = render_collection(tmp_path, **SMALL, seed=3, verbose=False)
    assert again == truth
    assert files(tmp_path) == files(folder)


def test_another_seed_another_collection(tmp_path) -> None:
    few = {"scenes": 1, "views": 1, "distractors": 1, "size": (64, 64), "verbose": False}
    render_collection(tmp_path / "a", **few, seed=1)
    render_collection(tmp_path / "b", **few, seed=2)
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a)


def test_scenes_do_not_depend_on_how_many_there_are(collection, tmp_path) -> None:
    folder, _ = collection
    render_collection(tmp_path, **{**SMALL, "scenes": 1, "distractors": 0}, seed=3, verbose=False)
    whole, part = files(folder), files(tmp_path)
    assert part == {name: whole[name] for name in part}


def test_a_scene_is_seen_in_each_way_before_any_comes_again() -> None:
    from kinfold.datasets.synthetic import _kinds

    kinds = _kinds(np.random.default_rng(0), 2 * len(VIEWS) + 3)
    assert (
        sorted(kinds[: len(VIEWS)]) == sorted(kinds[len(VIEWS) : 2 * len(VIEWS)]) == sorted(VIEWS)
    )
    assert len(kinds) == 2 * len(VIEWS) + 3


def test_no_queries_and_no_distractors(tmp_path) -> None:
    few = {"scenes": 1, "views": 2, "queries_per_scene": 0, "distractors": 0, "size": (64, 64)}
    truth = render_collection(tmp_path, **few, verbose=False)
    assert truth == {"imlist": ["place000_00", "place000_01"], "qimlist": [], "gnd": []}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenes": 0}, "scenes: expected a whole number at least 1"),
        ({"views": 1.5}, "views: expected a whole number"),
        ({"distractors": -1}, "distractors: expected a whole number at least 0"),
        ({"size": 640}, "size: expected width and height"),
        ({"size": (640, 8)}, "size: expected a whole number from 64"),
        ({"seed": "x"}, "seed: expected a whole number"),
    ],
)
def test_wrong_arguments_write_nothing(change, message, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        render_collection(tmp_path / "new", **change)
    assert not (tmp_path / "new").exists()
