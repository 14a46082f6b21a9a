"""Pictures of what was mined: looked at by colour, refused with a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.learn.mine.on_manifold import ManifoldSets
from kinfold.report.mined_sets import write_mined_photos, write_mined_points

# Item 0's neighbours are 1 and 2 by distance, 2 and 3 along the manifold.
SETS = ManifoldSets(
    np.array([0]), np.array([[1, 2]]), np.array([[2, 3]]), np.array([[3, -1]]),
    np.array([[0.5, 0]], np.float32), np.array([[1, -1]]),
)  # fmt: skip
POINTS = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]], float)
GREEN, RED = (0x17, 0x69, 0x3A), (0xC2, 0x37, 0x1A)


def share(picture: Any, colour: tuple[int, int, int]) -> float:
    """The share of pixels of nearly that colour."""
    near = np.abs(picture[..., :3] * 255 - colour).max(axis=-1) < 3
    return float(near.mean())


def test_points_show_the_four_sets(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    write_mined_points(tmp_path / "a.png", POINTS, SETS)
    picture = imread(tmp_path / "a.png")
    top, bottom = np.array_split(picture, 2)
    left, right = np.array_split(bottom, 2, axis=1)
    assert share(top, GREEN) == share(top, RED) == 0
    assert share(left, GREEN) > 0 and share(left, RED) == 0
    assert share(right, RED) > 0 and share(right, GREEN) == 0


def test_photos_show_positives_and_negatives(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    colours = [(250, 200, 0), (0, 200, 250), (200, 0, 250), (100, 250, 0), (10, 20, 250)]
    photos = [np.full((30, 40, 3), colour, np.uint8) for colour in colours]
    write_mined_photos(tmp_path / "a.png", photos, SETS, [0], columns=3)
    picture = imread(tmp_path / "a.png")
    lines = np.array_split(picture[:, picture.shape[1] // 3 :], 4)
    shown = [{i for i, colour in enumerate(colours) if share(line, colour) > 0.01} for line in lines]  # fmt: skip
    assert shown == [{3}, {1, 2}, {1}, {3, 4}]
    assert share(picture[:, : picture.shape[1] // 3], colours[0]) > 0.01  # the anchor


@pytest.mark.parametrize(
    ("points", "sets", "row", "message"),
    [
        (np.zeros((5, 3)), SETS, 0, "points: expected vectors of dimension 2"),
        (POINTS, "sets", 0, "sets: expected a ManifoldSets"),
        (POINTS, SETS, 1, "rows: expected some anchors below 1"),
        (POINTS[:3], SETS, 0, "sets: expected those of 3 items"),
    ],
)
def test_refuses(tmp_path: Path, points: Any, sets: Any, row: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_mined_points(tmp_path / "a.png", points, sets, row)
