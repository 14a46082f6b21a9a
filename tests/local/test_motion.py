from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
from moving import texture

from kinfold.local.motion import busiest, follow, motion
from kinfold.local.verify import project

CAMERA = np.array([[1.004, 0.006, 2.3], [-0.005, 0.998, -1.4], [4e-6, -2e-6, 1]])


def scene(camera: np.ndarray, shift: tuple[float, float], seed: int = 0) -> list[np.ndarray]:
    """A background seen by a camera that moves, and before it a square that goes its own way."""
    random = np.random.default_rng(seed)
    behind, thing = texture(random, 300, 400, 3.0), texture(random, 120, 130, 3.0)
    first = behind.copy()
    first[90:210, 150:280] = thing
    moved = cv2.warpPerspective(behind, camera, (400, 300), borderMode=cv2.BORDER_REFLECT)
    own = np.array([[1, 0, 150 + shift[0]], [0, 1, 90 + shift[1]], [0, 0, 1.0]])
    share = cv2.warpPerspective(np.ones((120, 130)), own, (400, 300))[..., None]
    second = moved * (1 - share) + cv2.warpPerspective(thing.astype(float), own, (400, 300))
    return [first, np.rint(second).astype(np.uint8)]


def inside(points: np.ndarray, border: float) -> np.ndarray:
    """Which points lie in the square, and beyond a border of it."""
    return ((points > np.array([150, 90]) + border) & (points < np.array([280, 210]) - border)).all(
        1
    )


def test_points_are_where_the_map_says() -> None:
    random = np.random.default_rng(1)
    first = texture(random, 240, 320, 3.0)
    second = cv2.warpPerspective(first, CAMERA, (320, 240), borderMode=cv2.BORDER_REFLECT)
    points, there = follow(first, second)
    assert len(points) > 100
    off = np.linalg.norm(there - project(points, CAMERA), axis=1)
    assert np.median(off) < 0.1
    assert (off < 0.5).mean() > 0.97


def test_the_camera_alone_moves_nothing() -> None:
    found = motion(*scene(CAMERA, tuple(project([[215, 150]], CAMERA)[0] - (215, 150))))
    beside = ~inside(found.points, -8)
    assert found.moving[beside].mean() < 0.03
    corners = [[0, 0], [400, 0], [400, 300], [0, 300]]
    off = project(corners, found.camera) - project(corners, CAMERA)
    assert np.abs(off).max() < 1.0


def test_what_moves_besides_is_told_from_the_camera() -> None:
    found = motion(*scene(CAMERA, (6.0, 5.0)))
    within, beside = inside(found.points, 12), ~inside(found.points, -12)
    assert within.sum() > 20
    assert found.moving[within].mean() > 0.95
    assert found.moving[beside].mean() < 0.05
    assert found.share == found.moving.mean()
    expected = np.array([6.0, 5.0]) - (project(found.points, CAMERA) - found.points)
    assert np.abs(found.shifts - expected)[within & found.moving].max(1).mean() < 0.3


def test_the_threshold_is_in_pixels() -> None:
    still = scene(np.eye(3), (0.8, 0.0))
    within = inside(motion(*still).points, 12)
    assert motion(*still, threshold=0.5).moving[within].mean() > 0.9
    assert motion(*still, threshold=1.2).moving[within].mean() < 0.1


def test_the_same_again(rng) -> None:
    frames = scene(CAMERA, (3.0, 3.0))
    a, b = motion(*frames, seed=4), motion(*frames, seed=4)
    assert (a.shifts == b.shifts).all()
    assert (a.camera == b.camera).all()


def test_frames_without_corners() -> None:
    blank = np.full((60, 80, 3), 90, np.uint8)
    found = motion(blank, blank)
    assert len(found.points) == len(found.moving) == found.share == 0
    assert (found.camera == np.eye(3)).all()


def test_busiest_by_trying_every_window(rng) -> None:
    for _ in range(5):
        points = rng.uniform(-0.5, [39.5, 29.5], (25, 2))
        (x0, y0, x1, y1), most = busiest(points, (30, 40), (11, 14))
        place = np.floor(points + 0.5)

        held = {
            (left, top): int(
                ((place >= (left, top)) & (place < (left + 14, top + 11))).all(1).sum()
            )
            for left in range(27)
            for top in range(20)
        }
        assert most == held[x0, y0] == max(held.values())
        assert (x1 - x0, y1 - y0) == (14, 11)


def test_of_equal_windows_the_one_about_the_points() -> None:
    box, most = busiest([[50, 40], [54, 44]], (90, 120), (20, 30))
    assert most == 2
    assert abs((box[0] + box[2]) / 2 - 52.5) <= 1
    assert abs((box[1] + box[3]) / 2 - 42.5) <= 1
    # Where it would reach beyond the frame it stays within.
    assert busiest([[1, 1]], (90, 120), (20, 30))[0] == (0, 0, 30, 20)
    assert busiest(np.empty((0, 2)), (90, 120), (20, 30)) == ((45, 35, 75, 55), 0)
    assert busiest([[3, 3]], (9, 9), (9, 9)) == ((0, 0, 9, 9), 1)


def test_arguments(rng) -> None:
    frame = texture(rng, 40, 50)
    with pytest.raises(ValueError, match="second: expected the size"):
        motion(frame, frame[:30])
    with pytest.raises(ValueError, match="threshold"):
        motion(frame, frame, threshold=-1)
    with pytest.raises(ValueError, match="window"):
        busiest([[1, 1]], (20, 30), (25, 10))
