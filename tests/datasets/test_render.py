"""Solids whose pictures can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.datasets.render import Mesh, camera_axes, lit, loft, visible

SQUARE = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A box of half sides x, y and z, through squares that go along x."""
    ring = np.stack([np.zeros(4), SQUARE[:, 0] * y, SQUARE[:, 1] * z], axis=1)
    ends = np.array([(-x, 0.0, 0.0), (x, 0.0, 0.0)])
    return loft(ring + ends[:, None]) + np.array(at)


def mesh(*solids: np.ndarray) -> Mesh:
    parts = np.repeat(np.arange(len(solids)), [len(s) for s in solids])
    return Mesh(np.concatenate(solids), parts)


def test_a_loft_is_closed_and_looks_outwards() -> None:
    corners = box(0.5, 0.2, 0.1)
    # The volume by the divergence theorem is right only for a closed surface seen from outside.
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(8 * 0.5 * 0.2 * 0.1)


def test_axes_of_a_camera() -> None:
    for azimuth in (0.0, 1.0, 4.0):
        axes = camera_axes(azimuth, 0.5)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert axes[1, 2] > 0 and axes[2, 2] == pytest.approx(np.sin(0.5))
    np.testing.assert_allclose(camera_axes(0, 0), [(0, 1, 0), (0, 0, 1), (1, 0, 0)], atol=1e-12)


def test_a_box_from_above_covers_its_share() -> None:
    surface = visible(mesh(box(0.5, 0.25, 0.1)), camera_axes(0.0, np.pi / 2), 80, 1.0)
    picture = np.zeros((80, 80), bool)
    picture[surface.rows, surface.columns] = True
    # Nose towards the camera's foot, so that x runs down: 40 rows, 20 columns around the middle.
    expected = np.zeros_like(picture)
    expected[20:60, 30:50] = True
    assert np.array_equal(picture, expected)
    assert len(surface.rows) == picture.sum(), "every pixel once"
    assert np.allclose(surface.normals, (0, 0, 1))
    np.testing.assert_allclose(surface.points[:, 2], 0.1, atol=1e-9)
    # The pixel in row 20, column 30 shows the point there.
    first = (surface.rows == 20) & (surface.columns == 30)
    np.testing.assert_allclose(surface.points[first][0, :2], (-0.4875, -0.2375), atol=1e-9)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_hides_the_farther_in_any_order(order) -> None:
    solids = [box(0.5, 0.5, 0.1), box(0.1, 0.1, 0.1, (0, 0, 0.5))]
    parts = visible(mesh(*(solids[i] for i in order)), camera_axes(0.3, np.pi / 2), 50, 1.0).parts
    assert (parts == order.index(1)).sum() == pytest.approx(25, abs=9)
    below = visible(mesh(*(solids[i] for i in order)), camera_axes(0.3, -np.pi / 2), 50, 1.0).parts
    assert set(below) == {order.index(0)}


def test_what_lies_outside_the_picture_is_left_out() -> None:
    far = visible(mesh(box(0.1, 0.1, 0.1, (0, 5, 0))), camera_axes(0, 0), 20, 1.0)
    assert len(far.rows) == 0
    large = visible(mesh(box(9, 9, 9)), camera_axes(0.2, 0.4), 20, 1.0)
    assert len(large.rows) == 400


def test_light_by_lamberts_law() -> None:
    normals = np.array([(0.0, 0, 1), (0, np.sin(1), np.cos(1)), (0, 0, -1)])
    lights = np.array([(0.0, 0, 0.5), (0, 0.25, 0)])
    expected = [0.1 + 0.5, 0.1 + 0.5 * np.cos(1) + 0.25 * np.sin(1), 0.1]
    np.testing.assert_allclose(lit(normals, lights, 0.1), expected)
