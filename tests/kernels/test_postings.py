"""Packed posting lists: what is packed comes out at every level, and nothing beyond is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from kinfold import _core

PAD = 64


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of so many bits one after the other, and the kernels' padding."""
    flags = (values[:, None] >> np.arange(bits)) & 1
    body = np.packbits(flags.astype(np.uint8).ravel(), bitorder="little")
    return np.concatenate([body, np.full(PAD, 0xFF, np.uint8)])


@pytest.mark.parametrize("bits", range(25))
def test_numbers_come_out(bits: int, level: str, guarded, rng: np.random.Generator) -> None:
    for n in [*range(1, 34), 63, 64, 65, 127, 128]:
        values = rng.integers(1 << bits, size=n).astype(np.uint32)
        placed = guarded(packed(values, bits))
        np.testing.assert_array_equal(_core.kernels.unpack_bits(placed, n, bits), values)
        mask = (1 << 17) - 1
        expected = (5 + np.cumsum(values.astype(np.uint64))) & mask
        found = _core.kernels.unpack_ids(placed, n, bits, 5, mask)
        np.testing.assert_array_equal(found, expected)


def test_no_bits_are_zeros(level: str, guarded) -> None:
    nothing = guarded(np.full(PAD, 0xFF, np.uint8))
    assert not _core.kernels.unpack_bits(nothing, 128, 0).any()
    assert (_core.kernels.unpack_ids(nothing, 128, 0, 7, 0xFFFF) == 7).all()


def test_products_that_reach_a_bound(level: str, guarded, rng: np.random.Generator) -> None:
    for n in [*range(1, 40), 1000]:
        a, b = rng.integers(-4, 5, (2, n)).astype(np.float32)
        for least in (-np.inf, -3.0, 0.0, 2.0, 100.0):
            found = _core.kernels.products_at_least(guarded(a), guarded(b), least)
            np.testing.assert_array_equal(found, np.flatnonzero(a * b >= least))


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], int]:
    """Postings by word and photo, and how many photos there are."""
    photos = draw(st.sampled_from([1, 2, 130, 1000, 1 << 17]))
    seed = draw(st.integers(0, 1 << 30))
    rng = np.random.default_rng(seed)
    rows = []
    for word in range(draw(st.integers(0, 4))):
        size = min(photos, draw(st.sampled_from([1, 2, 127, 128, 129, 300])))
        burst = 1 << draw(st.integers(0, 23))
        for photo in np.sort(rng.choice(photos, size, replace=False)):
            rows.append((3 * word, int(photo), int(rng.integers(1, burst + 1))))
    return rows, photos


@given(lists())
def test_what_is_packed_is_unpacked(case: tuple[list[tuple[int, int, int]], int]) -> None:
    rows, photos = case
    words, held, counts = (np.array([r[i] for r in rows], np.uint32) for i in range(3))
    parts = _core.words.pack_postings(words, held, counts)
    before = _core.level()
    try:
        for level in _core.levels():
            _core.set_level(level)
            found = _core.words.Postings(photos, *parts).unpack()
            np.testing.assert_array_equal(found[0], words)
            np.testing.assert_array_equal(found[1], held)
            np.testing.assert_array_equal(found[2], counts)
    finally:
        _core.set_level(before)
    # The same bytes through a merge that changes nothing, and half of it through one that drops.
    same = _core.words.merge_postings(
        [(_core.words.Postings(photos, *parts), np.arange(photos, dtype=np.uint32))]
    )
    for mine, other in zip(parts, same):
        np.testing.assert_array_equal(mine, other)
    rows_of = np.where(np.arange(photos) % 2, np.uint32(0xFFFFFFFF), np.arange(photos))
    half = _core.words.merge_postings(
        [(_core.words.Postings(photos, *parts), rows_of.astype(np.uint32))]
    )
    kept = held % 2 == 0
    alone = _core.words.pack_postings(words[kept], held[kept], counts[kept])
    for mine, other in zip(half, alone):
        np.testing.assert_array_equal(mine, other)


def test_any_bytes_are_safe(level: str, guarded, rng: np.random.Generator) -> None:
    words = np.repeat(np.arange(5, dtype=np.uint32), 200)
    photos = np.tile(np.arange(200, dtype=np.uint32), 5)
    signatures = rng.integers(1 << 60, size=1000).astype(np.uint64)
    good = _core.words.pack_postings(words, photos, photos + 1, signatures)
    query = (
        np.arange(5, dtype=np.uint32), np.ones(5, np.float32), None,
        np.arange(6, dtype=np.int64), signatures[:5],
    )  # fmt: skip
    for _ in range(50):
        bad = rng.integers(256, size=len(good[3])).astype(np.uint8)
        small = rng.random(len(bad)) < 0.5
        bad[small] &= 15
        lists = _core.words.Postings(200, good[0], good[1], good[2], guarded(bad), guarded(good[4]))
        part = (lists, np.arange(200), np.ones(200, np.float32), None)
        likeness = np.ones(65, np.float32)
        scores = _core.words.all_scores([part], [query], "count", "product", likeness, 64)
        assert scores.shape == (1, 200)
        lists.holders(None, 5)
        lists.own_sums(np.ones(5, np.float32), "root", "product", likeness, 64)
        lists.unpack()
        plain = _core.words.Postings(200, good[0], good[1], good[2], guarded(bad))
        part = (plain, *part[1:])
        own = (query[0], query[1], query[1], None, None)
        for match in ("product", "least", "least_normed"):
            _core.words.all_scores([part], [own], "count", match)
        _core.words.merge_postings([(plain, np.arange(200, dtype=np.uint32))])


def test_lists_that_lie_are_refused() -> None:
    good = _core.words.pack_postings(*np.ones((3, 4), np.uint32) * np.uint32([[1], [1], [1]]))
    words, starts, offsets, data, _ = good
    for parts in (
        (words[:0], starts, offsets, data),
        (words, starts[::-1].copy(), offsets, data),
        (words, starts, offsets + np.uint32([0, 1]), data),
        (words, starts, offsets, data[:-1]),
        (np.uint32([2, 1]), np.uint32([0, 1, 4]), np.uint32([0, 1, 1]), data),
    ):
        with pytest.raises(ValueError):
            _core.words.Postings(10, *parts)
    with pytest.raises(ValueError, match="^photos: too many"):
        _core.words.Postings(_core.words.posting_rows + 1, words, starts, offsets, data)
