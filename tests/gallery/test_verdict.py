"""What a photo is to another: copies move as one flat picture, other shots do not."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.gallery.verdict import Agreement, Verdict, is_edited_copy

SIZE = np.array([800.0, 600.0])


def agreement(points: np.ndarray, theirs: np.ndarray, size=SIZE, matched: int | None = None):
    """Of points of a photo of SIZE and where another of ``size`` has them."""
    inside = ((theirs >= 0) & (theirs < size)).all(axis=1)
    matches = np.hstack([points, theirs])[inside]
    return Agreement(matches, matched or len(matches), np.stack([SIZE, np.asarray(size, float)]))


@pytest.fixture
def points(rng) -> np.ndarray:
    return rng.uniform(0, 1, (300, 2)) * SIZE


def turned(points: np.ndarray, degrees: float, scale: float = 1.0) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (points - SIZE / 2) @ (scale * np.array([[cos, sin], [-sin, cos]])) + SIZE / 2


EDITS = {
    "smaller": lambda p: (p * 0.25, SIZE * 0.25),
    "cut": lambda p: (p - [300, 200], [300, 250]),
    "turned": lambda p: (turned(p, 7), SIZE),
    "upside down": lambda p: (SIZE - p, SIZE),
    "mirrored": lambda p: ([SIZE[0], 0] + p * [-1, 1], SIZE),
    "in a screenshot": lambda p: (p * 0.5 + [40, 300], [1080, 1920]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_edits_are_copies_either_way_round(points, rng, edit) -> None:
    theirs, size = edit(points)
    scale = min(1.0, size[0] / SIZE[0])
    found = agreement(points, theirs + rng.normal(0, 0.4 * scale, points.shape), size)
    assert is_edited_copy(found)
    assert is_edited_copy(
        Agreement(found.matches[:, [2, 3, 0, 1]], found.matched, found.sizes[::-1])
    )


def test_another_shot_is_none(points, rng) -> None:
    """Near things move further than far ones when the camera moves; a plane seen from the side shrinks one way."""
    depth = rng.uniform(1, 3, (len(points), 1))
    assert not is_edited_copy(agreement(points, points + 25 / depth * [1, 0]))
    assert not is_edited_copy(agreement(points, points * [0.97, 1]))


def test_few_matches_or_many_that_do_not_fit_or_a_corner_alone_are_none(points) -> None:
    assert is_edited_copy(agreement(points, points))
    assert not is_edited_copy(agreement(points[:19], points[:19]))
    assert not is_edited_copy(agreement(points, points, matched=601))
    corner = points[(points < [300, 200]).all(axis=1)]
    assert len(corner) >= 20
    assert not is_edited_copy(agreement(corner, corner))


def test_verdicts_are_words_of_which_one_says_that_it_is_not_there() -> None:
    assert [str(verdict) for verdict in Verdict] == [
        "same file", "edited copy", "same thing", "only looks alike",
    ]  # fmt: skip
    assert [verdict for verdict in Verdict if not verdict.shows_it] == [Verdict.LOOKS_ALIKE]
