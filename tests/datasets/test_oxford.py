from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("PIL")
import trees

from kinfold.base.errors import FileFormatError
from kinfold.base.ranking import Ranking
from kinfold.datasets.oxford import oxford5k, oxford105k, paris6k, paris106k
from kinfold.images.decode import decode


def test_oxford(tmp_path) -> None:
    trees.oxford(tmp_path)
    oxford = oxford5k(tmp_path)
    truth = oxford.truth
    assert truth.imlist == tuple(f"all_souls_{i:06d}" for i in range(6))
    assert truth.qimlist == ("all_souls_000000", "all_souls_000001")
    assert truth.gnd[0]["ok"].tolist() == [0, 1, 2] and truth.gnd[0]["junk"].tolist() == [3]
    assert truth.gnd[0]["bbx"] == (2.4, 3, 30.6, 29.1)
    photos, queries = list(oxford.photos()), list(oxford.queries())
    assert len(photos) == 6 and np.array_equal(photos[4], decode(oxford.files[4]).pixels)
    assert np.array_equal(queries[0], photos[0][3:29, 2:31])
    # The photo of the query counts; junk is passed over: 0, (3), 1, 5, 2.
    result = oxford.evaluate(Ranking.from_ids([[0, 3, 1, 5, 2, 4], [4, 5, 0, 1, 2, 3]]))["oxford"]
    assert np.isclose(result.average_precision[0], (1 + 1 + (2 / 3 + 3 / 4) / 2) / 3)
    expected = ((0 + 1 / 3) / 2 + (1 / 3 + 2 / 4) / 2 + (2 / 4 + 3 / 5) / 2) / 3
    assert np.isclose(result.average_precision[1], expected)


def test_paris_without_what_is_corrupt(tmp_path) -> None:
    trees.paris(tmp_path)
    paris = paris6k(tmp_path)
    assert len(paris.truth.imlist) == 4 and paris.truth.qimlist == ("paris_louvre_000001",)
    assert paris.truth.gnd[0]["ok"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("make", "load", "small"),
    [(trees.oxford, oxford105k, oxford5k), (trees.paris, paris106k, paris6k)],
)
def test_distractors_come_behind(make, load, small, tmp_path) -> None:
    make(tmp_path)
    with pytest.raises(FileNotFoundError, match="put the photos of Flickr100k into .*oxc1_100k"):
        load(tmp_path)
    trees.distractors(tmp_path)
    large, plain = load(tmp_path), small(tmp_path)
    n = len(plain.files)
    assert large.files[:n] == plain.files and len(large.files) == n + 2
    assert large.truth.imlist[n:] == (
        "distractor/airport/100_000001",
        "distractor/bridge/100_000001",
    )
    assert large.truth.gnd[0]["ok"].tolist() == plain.truth.gnd[0]["ok"].tolist()


@pytest.mark.parametrize(("make", "load"), [(trees.oxford, oxford5k), (trees.paris, paris6k)])
def test_what_is_missing_is_said_in_one_sentence(make, load, tmp_path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load(tmp_path / "nowhere")
    sentence = str(caught.value)
    assert sentence.count("\n") == 0 and "put the photos into" in sentence and "http" in sentence
    make(tmp_path)
    for folder in ("gt_files_170407", "paris_120310"):
        for path in (tmp_path / folder).glob("*"):
            path.unlink()
        if (tmp_path / folder).is_dir():
            (tmp_path / folder).rmdir()
    with pytest.raises(FileNotFoundError, match="put the photos into .* and the ground truth"):
        load(tmp_path)


def test_a_photo_of_a_list_that_is_not_there(tmp_path) -> None:
    trees.oxford(tmp_path)
    (tmp_path / "oxbuild_images" / "all_souls_000002.jpg").unlink()
    with pytest.raises(FileFormatError, match="names 'all_souls_000002', which is no image"):
        oxford5k(tmp_path)


@pytest.mark.parametrize(
    ("name", "load", "photos"), [("oxford5k", oxford5k, "jpg"), ("paris6k", paris6k, "jpg")]
)
def test_the_published_lists(name, load, photos, shared, tmp_path) -> None:
    """All 55 queries of the real text files, over empty files with the real names."""
    data = shared / "data" / name
    expected = json.loads((data / "ground_truth.json").read_text())
    (tmp_path / photos).mkdir()
    for image in expected["imlist"]:
        (tmp_path / photos / f"{image}.jpg").touch()
    (tmp_path / "gt_files").symlink_to(data / "gt_files")
    truth = load(tmp_path).truth
    assert truth.imlist == tuple(expected["imlist"]) and len(truth) == 55
    # In another order than the list at hand: compared by query and box.
    wanted = {
        (q, tuple(g["bbx"])): (sorted(g["ok"]), sorted(g["junk"]))
        for q, g in zip(expected["qimlist"], expected["gnd"])
    }
    found = {
        (q, g["bbx"]): (g["ok"].tolist(), g["junk"].tolist())
        for q, g in zip(truth.qimlist, truth.gnd)
    }
    assert found == wanted
