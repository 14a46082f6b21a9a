from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.boxes import object_boxes


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clip(0).prod(1)
    area = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
    return both / (area[0] + area[1] - both)


def views(rng: np.random.Generator, n: int, turn: float, slant: float) -> tuple[np.ndarray, ...]:
    """Maps of a plane to n photos of 640 x 480, and where its rectangle of 200 x 160 lies in each."""
    maps, boxes = [], []
    for _ in range(n):
        angle, scale = rng.uniform(-turn, turn), rng.uniform(0.7, 1.5)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        there = np.array([[c, -s, 320 + rng.uniform(-60, 60)], [s, c, 240 + rng.uniform(-40, 40)],
                          [*rng.uniform(-slant, slant, 2), 1]])  # fmt: skip
        corners = np.array([(x, y, 1) for x in (-100, 100) for y in (-80, 80)]) @ there.T
        corners = corners[:, :2] / corners[:, 2:]
        maps.append(there)
        boxes.append(np.hstack([corners.min(0), corners.max(0)]))
    return np.array(maps), np.array(boxes)


def matched(
    rng: np.random.Generator, maps: np.ndarray, boxes: np.ndarray, wrong: float
) -> tuple[np.ndarray, ...]:
    """All pairs; of each the object's box in both but for some pixels, or, for a share of pairs, a part of it."""
    n = len(maps)
    pairs = np.array([(i, j) for i in range(n) for j in range(i + 1, n)])
    between = np.array([maps[j] @ np.linalg.inv(maps[i]) for i, j in pairs])
    seen = boxes[pairs] + rng.normal(0, 3, (len(pairs), 2, 4))
    for row in np.flatnonzero(rng.random(len(pairs)) < wrong):
        for side in range(2):
            x0, y0, x1, y1 = seen[row, side]
            seen[row, side] = [x0, y0, x0 + (x1 - x0) * 0.4, y0 + (y1 - y0) * 0.5]
    return pairs, between, seen


@pytest.mark.parametrize("seed", range(3))
def test_boxes_that_agree_are_the_object(seed) -> None:
    """Of a fifth of the pairs only a part matched; maps are consistent: scaled and shifted."""
    rng = np.random.default_rng(seed)
    maps, boxes = views(rng, 9, turn=0, slant=0)
    pairs, between, seen = matched(rng, maps, boxes, wrong=0.2)
    found = object_boxes(np.full((9, 2), (640, 480)), pairs, between, seen, tolerance=1e-4)
    assert iou(found, boxes).min() > 0.95
    # They agree: what each says of each other is within a pixel of what that says of itself.
    for (i, j), to in zip(pairs, between):
        corners = np.c_[found[i].reshape(2, 2), np.ones(2)] @ to.T
        assert np.abs(corners[:, :2].ravel() - found[j]).max() < 1.5


def test_one_photo_whose_matches_saw_a_part_is_told_by_the_others() -> None:
    rng = np.random.default_rng(0)
    maps, boxes = views(rng, 8, turn=0, slant=0)
    pairs, between, seen = matched(rng, maps, boxes, wrong=0)
    mine = (pairs == 0).any(1)
    x0, y0, x1, y1 = boxes[0]
    seen[mine, 0] = [x0, y0, x0 + (x1 - x0) * 0.3, y0 + (y1 - y0) * 0.3]
    frame = np.full((8, 2), (640, 480))
    start = object_boxes(frame, pairs, between, seen, rounds=0)
    found = object_boxes(frame, pairs, between, seen, tolerance=1e-4)
    assert iou(start, boxes)[0] < 0.15 and iou(found, boxes)[0] > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_turned_and_slanted_views_neither_swell_nor_vanish(seed) -> None:
    rng = np.random.default_rng(seed)
    maps, boxes = views(rng, 9, turn=0.17, slant=2e-4)  # ten degrees either way
    pairs, between, seen = matched(rng, maps, boxes, wrong=0.2)
    found = object_boxes(np.full((9, 2), (640, 480)), pairs, between, seen)
    assert iou(found, boxes).min() > 0.75


def test_one_step_by_hand() -> None:
    """Two photos, the second twice as large: half a step of each towards what the other says."""
    double = np.diag([2.0, 2, 1])
    seen = np.array([[[10, 10, 30, 30], [40, 40, 80, 80]]])
    found = object_boxes(
        [[100, 100]] * 2, [[0, 1]], [double], seen, step=0.5, rounds=1, tolerance=0
    )
    assert found.tolist() == [[15, 15, 35, 35], [30, 30, 70, 70]]


def test_cut_off_at_the_edge_and_photos_of_no_pair() -> None:
    double = np.diag([2.0, 2, 1])
    seen = np.array([[[10, 10, 90, 90], [20, 20, 100, 100]]])
    found = object_boxes([[100, 100]] * 3, [[0, 2]], [double], seen, tolerance=1e-6)
    assert np.isnan(found[1]).all()
    assert (found[[0, 2]] >= 0).all() and (found[[0, 2]] <= 100).all()
    # The second sees no more than a half of the first: what both agree on is that half.
    assert np.allclose(found[0] * 2, found[2], atol=0.1)
    assert np.isnan(object_boxes([[4, 4]], [], [], [])).all()


def test_a_map_to_beyond_the_horizon_tells_nothing() -> None:
    beyond = np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]])
    seen = np.array([[[60, 10, 90, 90], [10, 10, 90, 90]]])
    found = object_boxes([[100, 100]] * 2, [[0, 1]], [beyond], seen, rounds=1)
    assert np.array_equal(found[1], seen[0, 1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0, 4]], [[0, 1]], [np.eye(3)], np.ones((1, 2, 4))), "sizes: expected"),
        (([[4, 4]] * 2, [[0, 2]], [np.eye(3)], np.ones((1, 2, 4))), "pairs: expected two different"),
        (([[4, 4]] * 2, [[1, 1]], [np.eye(3)], np.ones((1, 2, 4))), "pairs: expected two different"),
        (([[4, 4]] * 2, [[0, 1]], [np.zeros((3, 3))], np.ones((1, 2, 4))), "maps: expected maps that"),
        (([[4, 4]] * 2, [[0, 1]], [np.eye(2)], np.ones((1, 2, 4))), "maps: expected finite"),
        (([[4, 4]] * 2, [[0, 1]], [np.eye(3)], -np.ones((1, 4))), "boxes: expected"),
    ],
)  # fmt: skip
def test_what_is_no_match(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        object_boxes(*arguments)
