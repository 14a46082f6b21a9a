from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")
from kinfold.learn.classes import classes_of


def folder(tmp_path, counts: dict[str, int]):
    for name, count in counts.items():
        (tmp_path / name / "below").mkdir(parents=True)
        for i in range(count):
            place = tmp_path / name / ("below" if i % 2 else "") / f"{i}.png"
            cv2.imwrite(str(place), np.full((40, 60, 3), 40 * i, np.uint8))
    return tmp_path


def test_photos_and_their_classes(tmp_path) -> None:
    root = folder(tmp_path, {"b": 3, "a": 2, "c": 1})
    (root / "a" / "bad.jpg").write_bytes(b"none")
    cv2.imwrite(str(root / "loose.png"), np.zeros((9, 9, 3), np.uint8))
    found = classes_of(root, shorter=20, verbose=False)
    assert found.names == ["a", "b", "c"] and np.bincount(found.labels).tolist() == [2, 3, 1]
    assert found.photos[0].shape == (20, 30, 3)
    assert [path for path, _ in found.skipped] == ["a/bad.jpg", "loose.png"]
    files = classes_of(root, verbose=False).photos
    assert files[0].name == "0.png"


def test_classes_that_are_judged_by_are_not_learnt(tmp_path) -> None:
    found = classes_of(folder(tmp_path, {"a": 2, "b": 3, "c": 1, "d": 2, "e": 2}), verbose=False)
    for seed in range(5):
        learnt, judged = found.split(0.4, seed=seed)
        assert not {*found.labels[learnt]} & {*found.labels[judged]}
        assert len(learnt) + len(judged) == 10
        assert len({*found.labels[judged]}) == 2 and 2 not in found.labels[judged]
    assert len(found.split(0.0)[1]) == 0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 3}, "two at least"),
        ({}, "two at least"),
        ({"a": 1, "b": 1}, "two photos of some class"),
    ],
)
def test_too_little(tmp_path, counts, message) -> None:
    with pytest.raises(ValueError, match=message):
        classes_of(folder(tmp_path, counts), verbose=False)


def test_too_few_to_judge_by(tmp_path) -> None:
    found = classes_of(folder(tmp_path, {"a": 2, "b": 2}), verbose=False)
    with pytest.raises(ValueError, match="classes: expected three at least"):
        found.split(0.5)
