"""The two recalls of approximate search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold.evaluate.recall import intersection_recall, nearest_recall

ANSWERS = [[3, 1, 2], [5, 4, -1], [0, 9, 8]]
TRUTH = [[1, 3, 7], [5, 6, 4], [2, 8, 0]]


@pytest.mark.parametrize(("r", "expected"), [(1, 1 / 3), (2, 2 / 3), (3, 2 / 3)])
def test_nearest_recall(r: int, expected: float) -> None:
    assert nearest_recall(ANSWERS, TRUTH, r) == pytest.approx(expected)
    assert nearest_recall(ANSWERS, [row[0] for row in TRUTH], r) == pytest.approx(expected)


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 3), (2, 3 / 6), (3, 6 / 9), (None, 6 / 9)])
def test_intersection_recall(k: int | None, expected: float) -> None:
    assert intersection_recall(ANSWERS, TRUTH, k) == pytest.approx(expected)


def test_the_two_differ() -> None:
    """The nearest is found, the others are not."""
    assert nearest_recall([[0, 7, 8]], [[0, 1, 2]], 3) == 1.0
    assert intersection_recall([[0, 7, 8]], [[0, 1, 2]]) == pytest.approx(1 / 3)


def test_exact_answers_have_full_recall(rng: np.random.Generator) -> None:
    truth = np.argsort(rng.random((20, 50)), axis=1)[:, :10]
    assert nearest_recall(truth, truth) == 1.0
    assert intersection_recall(rng.permuted(truth, axis=1), truth) == 1.0


@pytest.mark.parametrize("measure", [nearest_recall, intersection_recall])
@pytest.mark.parametrize(
    ("ids", "truth", "k", "message"),
    [
        ([1, 2], [[1]], 1, r"ids: expected ids \(q, k\)"),
        ([[1.0]], [[1]], 1, "ids: expected ids"),
        ([[1]], [[1], [2]], 1, "truth: expected 1 rows"),
        ([[1]], [[-1]], 1, "truth: expected ids >= 0"),
        ([[1]], [[1]], 2, "expected a whole number from 1 to 1, got 2"),
        ([[1]], [[1]], 0, "expected a whole number from 1 to 1, got 0"),
    ],
)
def test_refuses(measure: Any, ids: Any, truth: Any, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(ids, truth, k)
