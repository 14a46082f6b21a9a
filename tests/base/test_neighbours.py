"""One-off exact searches."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold import _core, use_threads
from kinfold.base.neighbours import exact_neighbours, other_neighbours, self_neighbours


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


def join_case(name: str) -> np.ndarray:
    rng = np.random.default_rng(len(name))
    clusters = 3 * rng.normal(size=(30, 33))[rng.integers(30, size=1300)]
    x = (clusters + rng.normal(size=(1300, 33))).astype(np.float32)
    if name == "bytes":
        return rng.integers(0, 40, x.shape).astype(np.float32)
    if name == "unit":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        x[700] = 0
    if name == "duplicates":
        x[::2] = x[0]
    if name == "huge":
        x *= np.float32(1e16)
    if name == "tiny":
        x *= np.float32(1e-20)
    if name == "heavy tails":
        x *= rng.pareto(1.0, (1300, 1)).astype(np.float32)
    return x


@pytest.mark.parametrize("name", ["plain", "bytes", "unit", "duplicates", "heavy tails"])
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_a_set_joined_with_itself(name: str, metric: str, level: str) -> None:
    x = join_case(name)
    expected = other_neighbours(x, x, np.arange(len(x)), 12, metric=metric)
    for filter in ("auto", "u8", "f32"):
        distances, ids = _core.neighbours.self_join(x, metric, 12, filter)
        np.testing.assert_array_equal(ids, expected.ids, err_msg=filter)
        sign = 1 if metric == "l2" else -1
        np.testing.assert_array_equal(sign * distances, expected.distances)


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize(
    ("d", "decay"), [(40, 0.8), pytest.param(150, 0.93, marks=pytest.mark.slow), (40, 1.0)]
)
@pytest.mark.slow
def test_a_join_that_looks_along_a_few_directions_first(
    d: int, decay: float, metric: str, level: str
) -> None:
    # More rows than it takes to look for directions; the last case has none.
    if level == "baseline" and (d > 100 or decay == 1 or metric == "ip"):
        pytest.skip("products without vectors are slow: one case is enough")
    rng = np.random.default_rng(d)
    x = (rng.normal(size=(8500, d)) * decay ** np.arange(d)).astype(np.float32)
    x @= np.linalg.qr(rng.normal(size=(d, d)))[0].astype(np.float32)
    if metric == "ip":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    for k in (12, 90):
        distances, ids = _core.neighbours.self_join(x, metric, k, "u8")
        expected = other_neighbours(x, x, np.arange(len(x)), k, metric=metric)
        np.testing.assert_array_equal(ids, expected.ids)
        np.testing.assert_array_equal(
            distances if metric == "l2" else -distances, expected.distances
        )


@pytest.mark.parametrize("name", ["huge", "tiny"])
def test_a_join_beyond_the_filters(name: str) -> None:
    x = join_case(name)[:600]
    found = self_neighbours(x, 5)
    expected = other_neighbours(x, x, np.arange(600), 5)
    np.testing.assert_array_equal(found.ids, expected.ids)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 512, 513, 1024, 1029])
def test_joins_of_all_sizes(n: int) -> None:
    x = join_case("plain")[:n]
    for k in (7, 2 * n) if n < 40 else (7,):
        found = self_neighbours(x, k)
        expected = other_neighbours(x, x, np.arange(n), k)
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_array_equal(found.distances, expected.distances)


def test_a_join_does_not_depend_on_threads(threads: int) -> None:
    x = np.random.default_rng(3).random((4000, 9)).astype(np.float32)
    found = self_neighbours(x, 6)
    with use_threads(1):
        one = self_neighbours(x, 6)
    np.testing.assert_array_equal(found.ids, one.ids)
    np.testing.assert_array_equal(found.distances, one.distances)
