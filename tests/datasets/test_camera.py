"""Projection, hiding and light of the painter."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.datasets.building import Face
from kinfold.datasets.camera import Camera, Light
from kinfold.datasets.facade import Texture

LIGHT = Light(
    np.array([0.0, 0.6, 0.8]),
    np.full(3, 0.5, np.float32),
    np.full(3, 0.5, np.float32),
    0.0,
    ((90, 140, 200), (200, 210, 220)),
)


def camera(roll: float = 0.0) -> Camera:
    return Camera((160, 120), np.array([0.0, 2.0, 10.0]), np.array([0.0, 2.0, 0.0]), 100.0, roll)


def face(z: float, half: float, colour: tuple[int, int, int], *, front: bool = False) -> Face:
    corners = np.array(
        [(-half, 2 + half, z), (half, 2 + half, z), (half, 2 - half, z), (-half, 2 - half, z)]
    )
    albedo = np.full((32, 32, 3), colour, np.uint8)
    return Face(corners, Texture(albedo, np.zeros((32, 32), np.uint8)), front=front)


def test_projection_of_a_pinhole() -> None:
    points = np.array([(0, 2, 0), (1, 2, 0), (0, 3, 5), (0, 2, 20)], float)
    pixels, depth = camera().project(points)
    assert np.allclose(pixels[:3], [(80, 60), (90, 60), (80, 40)])
    assert np.allclose(depth, [10, 10, 5, -10])
    turned, _ = camera(np.pi / 2).project(points[:2])
    assert np.allclose(np.linalg.norm(turned[1] - turned[0]), 10)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_face_hides_the_farther_in_any_order(order) -> None:
    faces = face(0.0, 2.0, (255, 0, 0), front=True), face(4.0, 0.6, (0, 255, 0))
    view = camera()
    for k in order:
        view.paint(faces[k], LIGHT, 0.0)
    lit = 0.5 + 0.5 * 0.8
    assert np.allclose(view.picture[60, 80], (0, lit, 0), atol=1e-3)
    assert np.allclose(view.picture[60, 65], (lit, 0, 0), atol=1e-3)
    assert not view.front[60, 80]
    assert view.front[60, 65]
    # 40 x 40 pixels of the one, less 20 x 20 of the other; edges are shared.
    assert abs(int(view.front.sum()) - 1200) < 130


def test_faces_that_look_away_or_lie_behind_are_not_painted() -> None:
    view = camera()
    away = face(0.0, 2.0, (255, 255, 255))
    view.paint(Face(away.corners[[1, 0, 3, 2]], away.texture), LIGHT, 0.0)
    view.paint(face(12.0, 2.0, (255, 255, 255)), LIGHT, 0.0)
    assert view.picture.max() == 0


def test_windows_glow_at_night_alone() -> None:
    night = Light(LIGHT.sun, np.zeros(3, np.float32), np.full(3, 0.1, np.float32), 1.0, LIGHT.sky)
    pane = face(0.0, 2.0, (40, 40, 40))
    pane.texture.glow[:] = 255
    by_night, by_day = camera(), camera()
    by_night.paint(pane, night, 0.0)
    by_day.paint(pane, LIGHT, 0.0)
    assert by_night.picture[60, 80, 0] > 0.8
    assert by_day.picture[60, 80, 0] < 0.2


def test_figures_hide_fronts_and_are_hidden_by_nearer_faces() -> None:
    figure = np.full((40, 20, 4), 255, np.uint8)
    foot = np.array([0.0, 0.5, 5.0])
    view = camera()
    view.paint(face(0.0, 2.0, (255, 0, 0), front=True), LIGHT, 0.0)
    view.paste(figure, foot, 3.0, LIGHT)
    assert not view.front[60, 80]
    hidden = camera()
    hidden.paint(face(7.0, 1.0, (255, 0, 0), front=True), LIGHT, 0.0)
    before = hidden.picture[60, 80].copy()
    hidden.paste(figure, foot, 3.0, LIGHT)
    assert np.array_equal(hidden.picture[60, 80], before)
    assert hidden.front[60, 80]


def test_the_ground_ends_at_the_horizon() -> None:
    view = camera()
    view.paint_ground(np.full((48, 48, 3), 200, np.uint8), LIGHT, None)
    assert view.picture[:59].max() == 0
    assert view.picture[62:].min() > 0.3
    # 2 metres up, 100 pixels of focal length: 40 rows below the horizon lie 5 metres off.
    assert np.isclose(view.nearness[100, 80], 40.5 / 200, rtol=0.02)
