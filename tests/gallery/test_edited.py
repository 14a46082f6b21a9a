"""Copies move as one flat picture and keep their pixels; other shots do neither."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from kinfold.gallery.edited import Agreement, lay_over

from .conftest import texture

SIDE = 300


def turn(degrees: float, scale: float = 1.0) -> np.ndarray:
    return cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, scale)


# The map from the original's pixels, and the size of what becomes of it.
EDITS = {
    "resize": (np.array([[0.5, 0, 0], [0, 0.5, 0]]), (150, 150)),
    "crop": (np.array([[1.0, 0, -60], [0, 1, -40]]), (200, 210)),
    "rotation": (turn(7), (SIDE, SIDE)),
    "mirror": (np.array([[-1.0, 0, SIDE - 1], [0, 1, 0]]), (SIDE, SIDE)),
    "screenshot": (np.array([[0.8, 0, 30], [0, 0.8, 80]]), (300, 420)),
}


@pytest.fixture
def points(rng) -> np.ndarray:
    return rng.uniform(0, SIDE, (300, 2))


def agreement(points, theirs, size=(SIDE, SIDE), matched: int | None = None) -> Agreement:
    """Of points of the original and where another photo of ``size`` has them."""
    inside = ((theirs >= 0) & (theirs < size)).all(axis=1)
    matches = np.hstack([points, theirs])[inside]
    return Agreement(matches, matched or len(matches), np.array([(SIDE, SIDE), size], float))


def laid(found: Agreement, ours, theirs):
    return lay_over(found, lambda: ours, lambda: theirs)


@pytest.mark.parametrize("edit", EDITS)
def test_edits_are_copies_either_way_round_and_named(points, rng, edit) -> None:
    matrix, size = EDITS[edit]
    original = texture(1)
    made = cv2.warpAffine(original, matrix, size, borderValue=(240, 240, 240), flags=cv2.INTER_AREA)
    theirs = points @ matrix[:, :2].T + matrix[:, 2] + rng.normal(0, 0.3, points.shape)
    found = agreement(points, theirs, size)
    there = laid(found, original, made)
    turned = Agreement(found.matches[:, [2, 3, 0, 1]], found.matched, found.sizes[::-1])
    back = laid(turned, made, original)
    assert there is not None and back is not None
    assert there.is_copy and back.is_copy
    assert edit in there.edits and edit in back.edits


def test_another_shot_is_none(points, rng) -> None:
    """A plane seen from aside; near things that move further than far ones; the same place with other things in it."""
    original = texture(1)
    corners = np.float32([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]])
    moved = corners + np.float32([[0, 0], [-40, 30], [-40, -30], [0, 0]])
    matrix = cv2.getPerspectiveTransform(corners, moved)
    shot = cv2.warpPerspective(original, matrix, (SIDE, SIDE))
    theirs = cv2.perspectiveTransform(points[None], matrix)[0]
    seen = laid(agreement(points, theirs), original, shot)
    assert seen is not None and not seen.is_copy
    depth = rng.uniform(1, 3, (len(points), 1))
    seen = laid(agreement(points, points + 25 / depth * [1, 0]), original, original)
    assert seen is not None and not seen.is_copy
    seen = laid(agreement(points, points), original, texture(2))
    assert seen is not None and not seen.is_copy


def test_too_little_is_not_looked_at(points) -> None:
    def never() -> None:
        raise AssertionError

    few = agreement(points[:7], points[:7])
    assert lay_over(few, never, never) is None
    assert lay_over(agreement(points, points, matched=1001), never, never) is None
    original = texture(1)
    assert laid(agreement(points, points), original, original).is_copy
    assert laid(agreement(points, points), None, original) is None
    assert laid(agreement(points, points), original, None) is None
