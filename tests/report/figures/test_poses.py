from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
from kinfold.datasets.views import Views
from kinfold.report.figures.poses import cylinder, write_poses


def test_a_cylinder_is_found_however_it_lies(rng) -> None:
    a, h = rng.uniform(-np.pi, np.pi, 500), rng.uniform(-1, 1, 500)
    turned = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    points = np.stack([np.cos(a), np.sin(a), h], axis=1) @ turned + 5
    angle, height = cylinder(points, points[::2])
    # The middle is the mean of points drawn at random, the axis known to two degrees; either way round.
    turn = np.exp(1j * (angle - a)), np.exp(1j * (angle + a))
    assert max(abs(part.mean()) for part in turn) > 0.99
    assert abs(np.corrcoef(height, h)[0, 1]) > 0.99


def test_the_sky_is_above(rng, tmp_path, monkeypatch) -> None:
    """Whichever end of the axis is found, larger elevations are drawn higher."""
    azimuths, elevations = (
        each.ravel() for each in np.meshgrid(np.arange(0, 360, 20), np.arange(9) * 5)
    )
    a = np.deg2rad(azimuths)
    zeros = np.zeros_like(azimuths)
    views = Views(
        rng.integers(0, 256, (len(a), 8, 8), np.uint8), zeros, azimuths, elevations, zeros
    )
    drawn = []
    monkeypatch.setattr(
        "kinfold.report.figures.poses.write_png", lambda _, figure: drawn.append(figure)
    )
    for sign in (1, -1):
        points = np.stack([np.cos(a), np.sin(a), sign * elevations / 20], axis=1)
        write_poses(tmp_path / "a.png", views, points, points)
        places = drawn[-1].axes[2].collections[0].get_offsets()
        assert np.corrcoef(places[:, 1], elevations)[0, 1] > 0.999
