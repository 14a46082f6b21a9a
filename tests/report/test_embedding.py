"""Pictures of embeddings are written, and hold the points that they were given."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.datasets.manifolds import swiss_roll, two_moons
from kinfold.report.embedding import write_embeddings

pytest.importorskip("matplotlib")


def pixels(path) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(path).convert("RGB"))


def test_points_are_drawn_in_their_colours(tmp_path) -> None:
    roll = swiss_roll(300)
    along = roll.coordinates[:, 0]
    panels = {"roll": roll.points, "flat": roll.coordinates}
    write_embeddings(tmp_path / "a.png", panels, along, title="A roll")
    write_embeddings(tmp_path / "b.png", panels, -along, title="A roll")
    a, b = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    assert a.shape == b.shape and (a != b).any(axis=2).sum() > 1000
    moons = two_moons(60)
    write_embeddings(tmp_path / "c.png", {"moons": moons.points}, moons.labels)
    write_embeddings(tmp_path / "d.png", {"moons": moons.points})
    colours = np.unique(pixels(tmp_path / "c.png").reshape(-1, 3), axis=0)
    assert (colours == [31, 119, 180]).all(axis=1).any()  # the first of ten


def test_bad_arguments(tmp_path) -> None:
    path = tmp_path / "x.png"
    x = np.zeros((4, 2))
    for words, call in {
        "embeddings: expected at least one": lambda: write_embeddings(path, {}),
        "expected points": lambda: write_embeddings(path, {"a": np.zeros((4, 5))}),
        "colours: expected one": lambda: write_embeddings(path, {"a": x}, [1, 2]),
        "finite": lambda: write_embeddings(path, {"a": x * np.nan}),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()
    assert not path.exists()
