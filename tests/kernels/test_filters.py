"""The filters of exact search against plain numpy, at every level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core

DIMENSIONS = [4, 16, 20, 64, 72, 96, 128, 192, 208, 512]


def blocked(codes: np.ndarray) -> np.ndarray:
    """(n, d) to blocks of 16 points, four dimensions of a point side by side; the shape stays (n, d)."""
    n, d = codes.shape
    return np.ascontiguousarray(codes.reshape(n // 16, 16, d // 4, 4).swapaxes(1, 2)).reshape(n, d)


def pairs(hits: np.ndarray) -> set[tuple[int, int]]:
    found = [(int(h) >> 16, int(h) & 0xFFFF) for h in hits]
    assert len(set(found)) == len(found), "a pair was reported twice"
    return set(found)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("nq", [1, 3, 16, 17, 31, 50])
def test_integer_filter_is_exact(level: str, d: int, nq: int, rng: np.random.Generator) -> None:
    n, padded = 96, (nq + 15) // 16 * 16
    queries = np.zeros((padded, d), np.int8)
    queries[:nq] = rng.integers(-128, 128, (nq, d))
    codes = rng.integers(0, 256, (n, d), dtype=np.uint8)
    bias = rng.integers(-100_000, 100_000, n).astype(np.int32)
    sums = queries.astype(np.int64) @ codes.T.astype(np.int64) + bias
    thresholds = np.full(padded, np.iinfo(np.int32).max, np.int32)
    thresholds[:nq] = np.quantile(sums[:nq], 0.9, axis=1)
    hits = _core.kernels.filter_u8(queries, blocked(codes), bias, thresholds)
    assert pairs(hits) == set(zip(*(a.tolist() for a in np.nonzero(sums >= thresholds[:, None]))))
    best = _core.kernels.best_u8(queries, blocked(codes), bias)
    np.testing.assert_array_equal(best, sums.max(axis=1))


def test_integer_filter_at_the_extremes(level: str) -> None:
    d = 4096
    queries = np.full((16, d), -128, np.int8)
    queries[1] = 127
    codes = np.full((32, d), 255, np.uint8)
    sums = queries.astype(np.int64) @ codes.T.astype(np.int64)
    hits = _core.kernels.filter_u8(
        queries, blocked(codes), np.zeros(32, np.int32), sums.max(axis=1).astype(np.int32)
    )
    assert len(hits) == 16 * 32


@pytest.mark.parametrize("nq", [1, 5, 16, 17, 40])
def test_what_fills_up_a_tile_is_never_found(level: str, nq: int) -> None:
    """Whatever the biases, which may come from a file: even those that reach every threshold."""
    padded, most = (nq + 15) // 16 * 16, np.iinfo(np.int32).max
    thresholds = np.full(padded, most, np.int32)
    thresholds[:nq] = 0
    hits = _core.kernels.filter_u8(
        np.zeros((padded, 64), np.int8), blocked(np.zeros((32, 64), np.uint8)),
        np.full(32, most, np.int32), thresholds,
    )  # fmt: skip
    assert pairs(hits) == {(q, p) for q in range(nq) for p in range(32)}


@pytest.mark.parametrize("d", [1, 3, 16, 33, 128])
@pytest.mark.parametrize("nq", [1, 7, 16, 33, 70, 130])
@pytest.mark.parametrize("n", [1, 5, 6, 13, 64])
def test_float_filter_within_rounding(
    level: str, d: int, nq: int, n: int, rng: np.random.Generator
) -> None:
    queries = rng.standard_normal((nq, d)).astype(np.float32)
    points = rng.standard_normal((n, d)).astype(np.float32)
    bias = rng.standard_normal(n).astype(np.float32)
    groups = (nq + 15) // 16
    packed = np.zeros((16 * groups, d), np.float32)
    packed[:nq] = queries
    packed = np.ascontiguousarray(packed.reshape(groups, 16, d).swapaxes(1, 2))
    sums = queries.astype(np.float64) @ points.T.astype(np.float64) + bias
    norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(points, axis=1)
    slack = (d + 8) * 2.0**-23 * (norms + np.abs(bias))
    thresholds = np.full(16 * groups, np.inf, np.float32)
    thresholds[:nq] = np.median(sums, axis=1)
    hits = pairs(_core.kernels.filter_f32(packed, nq, points, bias, thresholds))
    for q in range(nq):
        for i in range(n):
            if abs(sums[q, i] - thresholds[q]) > slack[q, i]:
                assert ((q, i) in hits) == (sums[q, i] > thresholds[q])


@pytest.mark.parametrize("d", [1, 15, 31, 32, 33, 100, 128])
def test_encoding_says_what_it_lost(level: str, d: int, rng: np.random.Generator) -> None:
    x = (10 * rng.standard_normal(d)).astype(np.float32)
    centre = rng.standard_normal(d).astype(np.float32)
    for scale in (0.01, 0.1, 1.0):
        codes, totals = _core.kernels.encode_u8(x, centre, scale)
        v = x.astype(np.float64) - centre
        error = v - np.float64(np.float32(scale)) * codes
        expected = [
            np.sum(error**2),
            np.sum(v**2),
            np.sum(codes.astype(np.float64) ** 2),
            codes.sum(),
        ]
        np.testing.assert_allclose(totals, expected, rtol=1e-4, atol=1e-6)
        inside = np.abs(v) < 127 * scale
        assert np.all(np.abs(error[inside]) <= 0.5001 * scale)
        assert np.all(np.abs(codes[~inside].astype(int)) >= 126)


@pytest.mark.parametrize("d", [4, 16, 72, 128, 192])
@pytest.mark.parametrize("nq", [16, 32, 48])
def test_pairs_for_either_side_are_exact(
    level: str, d: int, nq: int, rng: np.random.Generator
) -> None:
    n = 64
    queries = rng.integers(-128, 128, (nq, d)).astype(np.int8)
    codes = rng.integers(0, 256, (n, d), dtype=np.uint8)
    bias = rng.integers(-100_000, 100_000, n).astype(np.int32)
    offsets = rng.integers(-100_000, 100_000, nq).astype(np.int32)
    sums = queries.astype(np.int64) @ codes.T.astype(np.int64) + bias
    both = sums + offsets[:, None]
    of_queries = np.quantile(both, 0.95, axis=1).astype(np.int32)
    of_points = np.quantile(both, 0.95, axis=0).astype(np.int32)
    of_queries[0] = of_points[0] = np.iinfo(np.int32).max
    hits = _core.kernels.filter_pairs_u8(
        queries, blocked(codes), bias, of_queries, offsets, of_points
    )
    expected = (both >= of_queries[:, None]) | (both >= of_points)
    assert pairs(hits) == set(zip(*(a.tolist() for a in np.nonzero(expected))))
    assert len(hits) < nq * n / 4
    # The second look at pairs of rows keeps the same ones of any.
    everything = rng.permutation(nq * n).astype(np.uint32)
    everything = everything // n << 16 | everything % n
    rows = (codes.astype(np.int16) - 128).astype(np.int8)
    kept = _core.kernels.keep_pairs_u8(
        queries, rows, of_queries, offsets, of_points, bias, everything
    )
    assert kept.tolist() == [h for h in everything.tolist() if expected[h >> 16, h & 0xFFFF]]


@pytest.mark.parametrize("d", [1, 16, 33, 128])
@pytest.mark.parametrize(("nq", "n"), [(16, 5), (48, 13), (80, 64)])
def test_float_pairs_for_either_side_within_rounding(
    level: str, d: int, nq: int, n: int, rng: np.random.Generator
) -> None:
    queries = rng.standard_normal((nq, d)).astype(np.float32)
    points = rng.standard_normal((n, d)).astype(np.float32)
    bias = rng.standard_normal(n).astype(np.float32)
    offsets = rng.standard_normal(nq).astype(np.float32)
    packed = np.ascontiguousarray(queries.reshape(nq // 16, 16, d).swapaxes(1, 2))
    sums = queries.astype(np.float64) @ points.T.astype(np.float64) + bias
    both = sums + offsets[:, None]
    of_queries = np.quantile(both, 0.9, axis=1).astype(np.float32)
    of_points = np.quantile(both, 0.9, axis=0).astype(np.float32)
    hits = pairs(
        _core.kernels.filter_pairs_f32(packed, points, bias, of_queries, offsets, of_points)
    )
    norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(points, axis=1)
    slack = (d + 8) * 2.0**-23 * (norms + np.abs(bias) + np.abs(offsets[:, None]))
    gap = np.maximum(both - of_queries[:, None], both - of_points)
    for q, i in zip(*np.nonzero(np.abs(gap) > slack)):
        assert ((q, i) in hits) == (gap[q, i] > 0)


def test_filters_never_read_past_the_end(level: str, guarded: Callable[..., np.ndarray]) -> None:
    for d in (4, 16, 64, 128, 192):
        for nq in (16, 32, 48):
            queries = guarded(np.ones((nq, d), np.int8))
            codes = guarded(np.ones((32, d), np.uint8))
            bias = guarded(np.zeros(32, np.int32))
            thresholds = guarded(np.full(nq, d, np.int32))
            assert len(_core.kernels.filter_u8(queries, codes, bias, thresholds)) == 32 * nq
            assert (_core.kernels.best_u8(queries, codes, bias) == d).all()
            of_points = guarded(np.full(32, d, np.int32))
            both = _core.kernels.filter_pairs_u8(
                queries, codes, bias, thresholds, guarded(np.zeros(nq, np.int32)), of_points
            )
            assert len(both) == 32 * nq
    for d in (4, 60, 64, 72, 128):
        rows, bounds = guarded(np.ones((3, d), np.int8)), guarded(np.zeros(3, np.int32))
        every = guarded(np.array([0, 2 << 16 | 2], np.uint32))
        kept = _core.kernels.keep_pairs_u8(rows, rows, bounds, bounds, bounds, bounds, every)
        assert kept.tolist() == every.tolist()
    for d in (1, 5, 16, 33):
        for n in (1, 6, 7):
            packed = guarded(np.ones((2, d, 16), np.float32))
            points = guarded(np.ones((n, d), np.float32))
            bias = guarded(np.zeros(n, np.float32))
            thresholds = guarded(np.zeros(32, np.float32))
            assert len(_core.kernels.filter_f32(packed, 32, points, bias, thresholds)) == 32 * n
            of_points, offsets = (guarded(np.zeros(m, np.float32)) for m in (n, 32))
            both = _core.kernels.filter_pairs_f32(
                packed, points, bias, thresholds, offsets, of_points
            )
            assert len(both) == 32 * n
            x = guarded(np.ones(d, np.float32))
            codes, _ = _core.kernels.encode_u8(x, x, 1.0)
            assert not codes.any()


@pytest.mark.parametrize("d", [1, 16, 33])
@pytest.mark.parametrize("nq", [1, 16, 33, 70, 130])
@pytest.mark.parametrize("n", [1, 5, 13, 300])
def test_the_two_largest_sums(
    level: str, d: int, nq: int, n: int, rng: np.random.Generator
) -> None:
    """Whole numbers, so that sums are exact; the first of equal ones."""
    queries = rng.integers(-3, 4, (nq, d)).astype(np.float32)
    points = rng.integers(-3, 4, (n, d)).astype(np.float32)
    bias = rng.integers(-3, 4, n).astype(np.float32)
    groups = (nq + 15) // 16
    packed = np.zeros((16 * groups, d), np.float32)
    packed[:nq] = queries
    packed = np.ascontiguousarray(packed.reshape(groups, 16, d).swapaxes(1, 2))
    sums = queries @ points.T + bias
    best, second, where = (
        part[:nq] for part in _core.kernels.nearest_f32(packed, nq, points, bias)
    )
    np.testing.assert_array_equal(best, sums.max(axis=1))
    np.testing.assert_array_equal(where, sums.argmax(axis=1))
    rest = np.sort(sums, axis=1)[:, -2] if n > 1 else np.full(nq, -np.inf)
    np.testing.assert_array_equal(second, rest)
