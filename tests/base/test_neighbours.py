"""One-off exact searches."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.neighbours import exact_neighbours


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("n", [1, 5, 40])  # with and without the 8-bit copy
def test_against_a_full_matrix(metric, n, rng) -> None:
    base = rng.integers(-5, 6, (90, 21)).astype(np.float32)
    queries = rng.integers(-5, 6, (n, 21)).astype(np.float32)
    cost = ((queries[:, None] - base) ** 2).sum(2) if metric == "l2" else -(queries @ base.T)
    order = np.argsort(cost, axis=1, kind="stable")[:, :10]
    distances, rows = exact_neighbours(queries, base, 10, metric=metric)
    np.testing.assert_array_equal(rows, order)
    sign = 1 if metric == "l2" else -1
    np.testing.assert_array_equal(distances, sign * np.take_along_axis(cost, order, 1))


@pytest.mark.parametrize(("metric", "fill"), [("l2", np.inf), ("ip", -np.inf)])
def test_more_than_there_are(metric, fill) -> None:
    distances, rows = exact_neighbours(np.ones((2, 3)), np.ones((4, 3)), 6, metric=metric)
    np.testing.assert_array_equal(rows, [[0, 1, 2, 3, -1, -1]] * 2)
    np.testing.assert_array_equal(distances[:, 4:], fill)


def test_no_queries() -> None:
    distances, rows = exact_neighbours(np.zeros((0, 3)), np.ones((4, 3)), 2)
    assert distances.shape == rows.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "base", "k", "metric", "words"),
    [
        (np.ones((2, 3)), np.ones((4, 5)), 1, "l2", "queries: expected vectors of dimension 5"),
        (np.ones((2, 3)), np.ones((0, 3)), 1, "l2", "base: expected at least one vector"),
        (np.ones((2, 3)), np.ones((4, 3)), 0, "l2", "k: expected a whole number"),
        (np.ones((2, 3)), np.ones((4, 3)), 1, "cosine", "metric: expected one of l2, ip"),
        ([[np.nan] * 3], np.ones((4, 3)), 1, "l2", "queries: expected finite"),
    ],
)
def test_bad_arguments(queries, base, k, metric, words) -> None:
    with pytest.raises(ValueError, match=words):
        exact_neighbours(queries, base, k, metric=metric)
