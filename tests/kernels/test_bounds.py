"""Filters never answer: whichever scans, the bits are those of scoring every pair."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold

FILTERS = ("u8", "f32")
# Around the widths of registers, tiles and blocks of dimensions.
DIMENSIONS = [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 100, 128, 129, 192, 260, 515]
SIZES = [1, 2, 15, 16, 17, 31, 33, 63, 65, 1023, 1024, 1025, 1100]


def agree(x: np.ndarray, queries: np.ndarray, metric: str, ks: tuple[int, ...] = (1, 10)) -> None:
    """Both filters, all at once and one by one, against no filter."""
    index = kinfold.FlatIndex(x.shape[1], metric=metric)
    index.add(x, ids=np.random.default_rng(len(x)).permutation(len(x)))  # ties go by id, not by row
    for k in ks:
        expected = index.search(queries, k, scan="none")
        for scan in FILTERS:
            for got, wanted in [
                (index.search(queries, k, scan=scan), expected),
                (index.search(queries[0], k, scan=scan), (expected[0][0], expected[1][0])),
            ]:
                np.testing.assert_array_equal(got[1], wanted[1], err_msg=f"{scan}, k = {k}")
                np.testing.assert_array_equal(got[0], wanted[0], err_msg=f"{scan}, k = {k}")


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_every_dimension(metric, level, rng) -> None:
    for d in DIMENSIONS:
        agree(
            rng.standard_normal((150, d), np.float32),
            rng.standard_normal((19, d), np.float32),
            metric,
        )


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_every_size(metric, level, rng) -> None:
    for n in SIZES:
        for q in (1, 16, 33):
            agree(
                rng.standard_normal((n, 24), np.float32),
                rng.standard_normal((q, 24), np.float32),
                metric,
            )


def bytes_as_sift(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return np.minimum(rng.exponential(30, (n, d)), 255).astype(np.uint8).astype(np.float32)


def normal(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.standard_normal((n, d), np.float32)


# What could break a bound: ties, cancellation, scales, outliers, constant dimensions, extremes of float32.
DATA = {
    "whole bytes": bytes_as_sift,
    "all equal": lambda rng, n, d: np.ones((n, d), np.float32),
    "zeros": lambda rng, n, d: np.zeros((n, d), np.float32),
    "few distinct": lambda rng, n, d: rng.integers(0, 2, (n, d)).astype(np.float32),
    "far from the origin": lambda rng, n, d: normal(rng, n, d) + np.float32(1e4),
    "very far": lambda rng, n, d: normal(rng, n, d) + np.float32(1e7),
    "tiny": lambda rng, n, d: normal(rng, n, d) * np.float32(1e-22),
    "subnormal": lambda rng, n, d: normal(rng, n, d) * np.float32(1e-40),
    "large": lambda rng, n, d: normal(rng, n, d) * np.float32(1e17),
    "outliers": lambda rng, n, d: (
        normal(rng, n, d) * np.where(rng.random((n, 1)) < 0.01, 1e6, 1).astype("f4")
    ),
    "uneven dimensions": lambda rng, n, d: (
        normal(rng, n, d) * np.logspace(-6, 6, d, dtype=np.float32)
    ),
    "one dimension": lambda rng, n, d: normal(rng, n, d) * (np.arange(d) == d // 2).astype("f4"),
    "near duplicates": lambda rng, n, d: normal(rng, 1, d) + normal(rng, n, d) * np.float32(1e-6),
}


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("name", DATA)
def test_hard_data(name, metric, level, rng) -> None:
    x = DATA[name](rng, 700, 72)
    own = x[rng.integers(0, len(x), 20)]
    other = DATA[name](rng, 20, 72)
    agree(x, np.concatenate([own, other, normal(rng, 5, 72)]), metric, ks=(1, 7, 900))


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_queries_of_any_scale(metric, level, rng) -> None:
    """Also where squares almost overflow float32, or vanish in it."""
    for size in (1e-30, 1e-20, 1.0, 1e10, 3e17):
        for scale in (
            1e-38,
            1e-25,
            1e-20,
            1e-10,
            1e10,
            3e17,
            *((1e30,) if metric == "cosine" else ()),
        ):
            queries = normal(rng, 6, 40) * np.float32(scale)
            agree(normal(rng, 200, 40) * np.float32(size), queries, metric, ks=(5,))


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("name", ["whole bytes", "outliers", "near duplicates"])
def test_range_search(name, metric, level, rng) -> None:
    x, queries = DATA[name](rng, 700, 40), DATA[name](rng, 9, 40)
    index = kinfold.FlatIndex(40, metric=metric)
    index.add(x)
    distances, _ = index.search(queries, 30)
    radius = float(np.median(distances[:, 20]))
    expected = index.range_search(queries, radius, scan="none")
    assert 0 < len(expected.ids) < x.shape[0] * len(queries)
    for scan in FILTERS:
        got = index.range_search(queries, radius, scan=scan)
        for part, wanted in zip(got, expected):
            np.testing.assert_array_equal(part, wanted, err_msg=scan)


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_data_that_leaves_the_range_of_the_first_batch(metric, level, rng) -> None:
    """The 8-bit copy is scaled to the first vectors; later ones may lie anywhere."""
    index = kinfold.FlatIndex(48, metric=metric)
    for scale in (1, 100, 1e-3, 1e5):
        index.add(normal(rng, 130, 48) * np.float32(scale) + np.float32(scale))
    for scale in (1e-3, 1, 1e3, 1e6):
        queries = normal(rng, 17, 48) * np.float32(scale)
        expected = index.search(queries, 12, scan="none")
        for scan in FILTERS:
            got = index.search(queries, 12, scan=scan)
            np.testing.assert_array_equal(got.ids, expected.ids)
            np.testing.assert_array_equal(got.distances, expected.distances)


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_no_filter_is_right(metric, level, rng) -> None:
    """Scoring every pair, against float64."""
    x, queries = normal(rng, 400, 70), normal(rng, 20, 70)
    index = kinfold.FlatIndex(70, metric=metric)
    index.add(x)
    a, b = queries.astype(np.float64), x.astype(np.float64)
    exact = ((a[:, None] - b) ** 2).sum(2) if metric == "l2" else a @ b.T
    distances, ids = index.search(queries, 400, scan="none")
    assert (np.sort(ids, axis=1) == np.arange(400)).all()
    np.testing.assert_allclose(distances, np.take_along_axis(exact, ids, 1), rtol=1e-5, atol=1e-4)
    steps = np.diff(distances, axis=1)
    assert (steps >= 0).all() if metric == "l2" else (steps <= 0).all()
