"""Pictures of rankings: written, looked at by size and colour, refused with a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.report.manifold_plot import write_rankings


def test_writes_a_picture_that_shows_the_ranking(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    x = np.stack([np.linspace(0, 2, 60), np.full(60, 0.2)], axis=1)
    near_first = np.arange(60, 0, -1.0)
    some = np.where(np.arange(60) < 10, 1.0, 0.0)
    for name, scores in (("all", near_first), ("turned", near_first[::-1]), ("some", some)):
        write_rankings(tmp_path / name, x, x[0], [(name, scores), ("both", some)])
    pictures = {name: imread(tmp_path / name, "png") for name in ("all", "turned", "some")}
    assert pictures["all"].shape[0] > 80
    half = pictures["all"].shape[1] // 2
    different = [
        np.abs(pictures["all"][:, side] - pictures["turned"][:, side]).max()
        for side in (slice(0, half), slice(half, None))
    ]
    assert different[0] > 0.5
    assert different[1] == 0


@pytest.mark.parametrize(
    ("points", "query", "rankings", "message"),
    [
        (np.zeros((3, 3)), [0, 0], [("a", [1, 2, 3])], "points: expected vectors of dimension 2"),
        (np.zeros((3, 2)), [0, 0, 0], [("a", [1, 2, 3])], "query: expected"),
        (np.zeros((3, 2)), [0, 0], [("a", [1, 2])], "rankings: expected 3 scores for 'a'"),
        (np.zeros((3, 2)), [0, 0], [], "rankings: expected at least one"),
    ],
)
def test_refuses(tmp_path: Path, points: Any, query: Any, rankings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_rankings(tmp_path / "x", points, query, rankings)
