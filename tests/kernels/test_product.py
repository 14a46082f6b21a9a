"""The kernels of product codes against plain numpy, at every level, between forbidden pages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core

Guard = Callable[..., np.ndarray]


def blocks_of(codes: np.ndarray, terms: np.ndarray | None) -> np.ndarray:
    """Codes (n, lookups) and 16-bit terms (n,) as blocks of 64 rows: even rows' terms come first."""
    n, lookups = codes.shape
    out = [codes.reshape(n // 64, 64, lookups).transpose(0, 2, 1).reshape(n // 64, 64 * lookups)]
    if terms is not None:
        apart = terms.astype("<u2").reshape(n // 64, 32, 2).transpose(0, 2, 1)
        out.append(np.ascontiguousarray(apart).reshape(n // 64, 64).view(np.uint8))
    return np.ascontiguousarray(np.concatenate(out, axis=1))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("lookups", [1, 2, 7, 16, 40])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize("with_terms", [False, True])
def test_sums_and_hits_are_exact(
    level: str,
    bits: int,
    lookups: int,
    blocks: int,
    with_terms: bool,
    guarded: Guard,
    rng: np.random.Generator,
) -> None:
    n = 64 * blocks
    codes = rng.integers(0, 256, (n, lookups), dtype=np.uint8)
    terms = rng.integers(0, 65536, n) if with_terms else None
    factor = 3000 if with_terms else 0
    if bits == 8:
        tables = rng.integers(0, 256, (lookups, 256), dtype=np.uint8)
        sums = tables[np.arange(lookups), codes].astype(int).sum(axis=1)
    else:
        tables = rng.integers(0, 128, (lookups, 2, 16), dtype=np.uint8)
        at = np.arange(lookups)
        sums = tables[at, 0, codes & 15].astype(int).sum(axis=1)
        sums += tables[at, 1, codes >> 4].astype(int).sum(axis=1)
    if terms is not None:
        sums = sums + (terms * factor >> 16)
    placed = guarded(blocks_of(codes, terms))
    least = tables.reshape(lookups, 16, 16).min(axis=2) if bits == 8 else tables[:0]
    flat = guarded(np.concatenate([tables.reshape(-1), least.reshape(-1)]))
    got = _core.kernels.sums_product(placed, lookups, bits, flat, factor)
    np.testing.assert_array_equal(got, sums)
    quantiles = np.quantile(sums, [0, 0.02, 0.2, 0.5]).astype(int) if n else [5]
    for threshold in (0, *quantiles, 65535):
        hits = _core.kernels.filter_product(placed, lookups, bits, flat, factor, threshold)
        np.testing.assert_array_equal(hits, np.flatnonzero(sums <= threshold))


def test_bounds_of_sixteen_entries_lose_nothing(
    level: str, guarded: Guard, rng: np.random.Generator
) -> None:
    """Entries in order of size: the sums of the least of sixteen dismiss most rows."""
    blocks, lookups = 70, 8
    codes = rng.integers(0, 256, (64 * blocks, lookups), dtype=np.uint8)
    codes[64 * 40 : 64 * 45] = 0  # all near: looked at without a bound, and some blocks after them
    tables = np.sort(rng.integers(0, 256, (lookups, 256), dtype=np.uint8), axis=1)
    sums = tables[np.arange(lookups), codes].astype(int).sum(axis=1)
    least = _core.kernels.table_least(guarded(tables.reshape(-1)))
    np.testing.assert_array_equal(least, tables.reshape(-1, 16).min(axis=1))
    placed = guarded(blocks_of(codes, None))
    flat = guarded(np.concatenate([tables.reshape(-1), least]))
    for threshold in np.quantile(sums, [0.001, 0.1, 0.2, 0.5, 0.9]).astype(int):
        hits = _core.kernels.filter_product(placed, lookups, 8, flat, 0, int(threshold))
        np.testing.assert_array_equal(hits, np.flatnonzero(sums <= threshold))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("m", [1, 2, 5, 16, 17, 32])
@pytest.mark.parametrize("extra", [0, 2])
def test_row_by_row_sums(
    level: str, bits: int, m: int, extra: int, guarded: Guard, rng: np.random.Generator
) -> None:
    size = (m * bits + 7) // 8
    codes = rng.integers(0, 256, (13, size + extra), dtype=np.uint8)
    tables = rng.standard_normal((m, 1 << bits)).astype(np.float32)
    words = codes[:, :size]
    if bits == 4:
        words = np.stack([words & 15, words >> 4], axis=2).reshape(13, -1)[:, :m]
    expected = tables[np.arange(m), words].astype(np.float64).sum(axis=1)
    got = _core.kernels.product_rows(guarded(codes), m, bits, guarded(tables))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(
    "m, piece, padded", [(1, 4, 4), (3, 4, 12), (16, 8, 128), (5, 8, 48), (4, 16, 64)]
)
def test_decoded_blocks(
    level: str, bits: int, m: int, piece: int, padded: int, guarded: Guard, rng: np.random.Generator
) -> None:
    k, size = 1 << bits, (m * bits + 7) // 8
    codes = rng.integers(0, 256, (128, size), dtype=np.uint8)
    books = rng.integers(0, 256, (m, k, piece), dtype=np.uint8)
    norms = rng.integers(0, 1 << 20, (m, k)).astype(np.int32)
    words = (
        codes if bits == 8 else np.stack([codes & 15, codes >> 4], axis=2).reshape(128, -1)[:, :m]
    )
    vectors = np.full((128, padded), 128, np.uint8)
    vectors[:, : m * piece] = books[np.arange(m), words].reshape(128, -1)
    expected = vectors.reshape(8, 16, padded // 4, 4).swapaxes(1, 2)
    out, bias = _core.kernels.decode_blocks(
        guarded(blocks_of(codes, None)), guarded(books), guarded(norms), padded
    )
    np.testing.assert_array_equal(out.reshape(8, padded // 4, 16, 4), expected)
    np.testing.assert_array_equal(bias, -(norms[np.arange(m), words].sum(axis=1) // 2))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(
    "m, s", [(1, 1), (3, 2), (8, 4), (16, 8), (4, 8), (2, 16), (8, 16), (5, 7), (2, 40)]
)
def test_distances_from_codes_are_those_of_decoded_vectors(
    level: str, bits: int, m: int, s: int, guarded: Guard, rng: np.random.Generator
) -> None:
    books = guarded(rng.standard_normal((m, 1 << bits, s)).astype(np.float32))
    query = guarded(rng.standard_normal(m * s).astype(np.float32))
    for _ in range(5):
        code = rng.integers(0, 256, (m * bits + 7) // 8, dtype=np.uint8)
        words = code if bits == 8 else np.stack([code & 15, code >> 4], axis=1).reshape(-1)[:m]
        decoded, squared, product = _core.kernels.product_distances(query, books, guarded(code))
        np.testing.assert_array_equal(decoded, books[np.arange(m), words].reshape(-1))
        assert squared == _core.kernels.squared_l2(query, decoded)
        assert product == _core.kernels.inner_product(query, decoded)


def test_half_precision(level: str) -> None:
    halves = np.arange(65536, dtype=np.uint16)
    halves = halves[np.isfinite(halves.view(np.float16))]
    got = _core.kernels.halves_to_floats(halves)
    np.testing.assert_array_equal(got, halves.view(np.float16).astype(np.float32))
    for n in (0, 1, 7, 9):
        assert len(_core.kernels.halves_to_floats(halves[:n].copy())) == n


@pytest.mark.parametrize("n", [1, 7, 8, 33])
def test_bytes_around_a_centre(
    level: str, n: int, guarded: Guard, rng: np.random.Generator
) -> None:
    codes, centre = (
        rng.integers(0, 256, n, dtype=np.uint8),
        rng.standard_normal(n).astype(np.float32),
    )
    scale = np.float32(0.37)
    got = _core.kernels.bytes_to_floats(guarded(codes), scale, guarded(centre))
    expected = (codes.astype(np.float64) - 128) * np.float64(scale) + centre
    np.testing.assert_allclose(got, expected, rtol=2e-7, atol=2e-5)


SIZES = [
    (1, 1, 1),
    (1, 8, 256),
    (5, 3, 17),
    (6, 16, 64),
    (7, 128, 128),
    (13, 5, 70),
    (2, 70, 15),
    (0, 4, 4),
]


@pytest.mark.parametrize("n, d, p", SIZES)
def test_small_products(
    level: str, n: int, d: int, p: int, guarded: Guard, rng: np.random.Generator
) -> None:
    a, b, c = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, d), (d, p), (n, p)))
    got = _core.kernels.multiply(guarded(a), guarded(b), guarded(c))
    exact = a.astype(np.float64) @ b + c
    reach = np.abs(a).astype(np.float64) @ np.abs(b) + np.abs(c)
    assert (np.abs(got - exact) <= (d + 2) * 2.0**-23 * reach + 1e-30).all()
    if n > 1:  # each row alone: the same bits
        alone = np.concatenate(
            [_core.kernels.multiply(a[i : i + 1], b, c[i : i + 1]) for i in range(n)]
        )
        np.testing.assert_array_equal(alone, got)


def test_products_are_the_same_bits_from_avx2_on(rng: np.random.Generator) -> None:
    a, b, c = (rng.standard_normal(s).astype(np.float32) for s in ((9, 33), (33, 75), (9, 75)))
    before, found = _core.level(), []
    for name in _core.levels():
        _core.set_level(name)
        if name != "baseline":
            found.append(_core.kernels.multiply(a, b, c))
    _core.set_level(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("k", [1, 7, 16, 19, 256])
@pytest.mark.parametrize("limit", [127, 255])
def test_tables_to_bytes(
    level: str, k: int, limit: int, guarded: Guard, rng: np.random.Generator
) -> None:
    entries = guarded((rng.standard_normal(k) * 100).astype(np.float32))
    inverse = np.float32(1.7)
    least, most, got = _core.kernels.table_bytes(entries, inverse, limit)
    assert least == entries.min() and most == entries.max()
    expected = np.floor((entries - np.float32(least)) * inverse).clip(0, limit)
    np.testing.assert_array_equal(got, expected)


# A bias may come from a file: sums that leave 32 bits wrap around, at every level alike.
@pytest.mark.parametrize("largest", [10**6, 2**31 - 1])
@pytest.mark.parametrize("d", [4, 64, 128])
@pytest.mark.parametrize("nq", [16, 48])
def test_all_integer_sums(
    level: str, d: int, nq: int, largest: int, rng: np.random.Generator
) -> None:
    queries = rng.integers(-128, 128, (nq, d)).astype(np.int8)
    codes = rng.integers(0, 256, (96, d), dtype=np.uint8)
    bias = rng.integers(-largest, largest, 96).astype(np.int32)
    blocked = np.ascontiguousarray(codes.reshape(6, 16, d // 4, 4).swapaxes(1, 2)).reshape(96, d)
    expected = (queries.astype(np.int64) @ codes.T.astype(np.int64) + bias).astype(np.int32)
    np.testing.assert_array_equal(_core.kernels.sums_u8(queries, blocked, bias), expected)


@pytest.mark.parametrize("n", [1, 15, 16, 100, 333])
def test_selection(level: str, n: int, guarded: Guard, rng: np.random.Generator) -> None:
    sums = guarded(rng.integers(-50, 50, n).astype(np.int32))
    for threshold in (-60, 0, 49, 60):
        got = _core.kernels.at_least(sums, threshold)
        np.testing.assert_array_equal(got, np.flatnonzero(sums >= threshold))
    for groups in {1, min(n, 16), n}:
        expected = [sums[g::groups].max() for g in range(groups)]
        np.testing.assert_array_equal(_core.kernels.group_max(sums, groups), expected)
