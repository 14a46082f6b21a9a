"""The kernels of aggregated residuals against plain numpy, at every level, between forbidden pages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core

Guard = Callable[..., np.ndarray]


@pytest.mark.parametrize("d", [1, 63, 64, 65, 128, 130, 256])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 300])
def test_nothing_is_read_beyond_the_arrays(
    level: str, d: int, count: int, guarded: Guard, rng: np.random.Generator
) -> None:
    x, codebook = rng.standard_normal((count + 1, d)), rng.standard_normal((1, d))
    x, codebook = guarded(x.astype(np.float32)), guarded(codebook.astype(np.float32))
    words, each = np.zeros((count + 1, 1), np.int64), np.arange(count + 2)
    _, found, parts = _core.words.aggregate(x, each, words, codebook, codebook, True)
    above = x - codebook > codebook
    bits = np.zeros((count + 1, 64 * parts.shape[1]), np.uint8)
    bits[:, :d] = above
    np.testing.assert_array_equal(
        np.unpackbits(parts.view(np.uint8), axis=1, bitorder="little"), bits
    )
    photo = guarded(np.arange(count, dtype=np.uint32))
    lists = _core.words.ByWord(count, np.array([0, count]), photo, guarded(parts[1:]))
    query = _core.words.ByPhoto(1, np.array([0, 1]), found[:1], guarded(parts[:1]))
    none = _core.words.ByPhoto(1, np.array([0]), found[:0], parts[:0])
    table = np.where(np.arange(64 * parts.shape[1] + 1) < d / 2, rng.random(), 0)
    apart = (above[1:] != above[0]).sum(axis=1)
    got = lists.scores(
        none, query, np.array([3], np.float32), guarded(table.astype(np.float32)), 3, 0,
        np.ones(1, np.float32), guarded(np.ones(count, np.float32)),
    )  # fmt: skip
    expected = np.float32(3) * table.astype(np.float32)[apart]
    np.testing.assert_array_equal(got[0, photo], expected)


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("queries", [1, 4, 9, 13, 16, 37])
@pytest.mark.parametrize("tau", [0.1, -0.5])
def test_queries_together_score_as_alone(
    level: str, width: int, queries: int, tau: float, guarded: Guard, rng: np.random.Generator
) -> None:
    """Sums over three words, some of them in few queries, for photos in several tiles of scores."""
    words, photos, d = 3, 40_000, 64 * width
    found = [np.sort(rng.choice(photos, n, replace=False)) for n in (300, 1, 77)]
    starts = np.concatenate([[0], np.cumsum([len(f) for f in found])])
    photo = guarded(np.concatenate(found).astype(np.uint32))
    parts = rng.integers(0, 1 << 63, (len(photo), width), dtype=np.uint64)
    lists = _core.words.ByWord(photos, starts, photo, guarded(parts))
    held = [np.flatnonzero(rng.random(words) < 0.6) for _ in range(queries)]
    of = np.concatenate([[0], np.cumsum([len(h) for h in held])])
    word = np.concatenate(held).astype(np.uint32)
    # Near some of the postings: random codes differ in half their bits.
    own = parts[rng.integers(len(parts), size=len(word))] ^ np.uint64(0x0101)
    asked = _core.words.ByPhoto(words, of, word, guarded(own))
    none = _core.words.ByPhoto(words, np.array([0]), word[:0], own[:0])
    u = 1 - 2 * np.arange(d + 1) / d
    table = np.where(u > tau, u**3, 0).astype(np.float32)
    weights = np.array([0.5, 2, 3], np.float32)
    factors = rng.random(queries).astype(np.float32), rng.random(photos).astype(np.float32)
    got = lists.scores(none, asked, weights, guarded(table), 3, tau, *factors)
    expected = np.zeros((queries, photos), np.float32)
    for q in range(queries):
        for i in range(of[q], of[q + 1]):
            rows = slice(starts[word[i]], starts[word[i] + 1])
            bits = np.unpackbits((parts[rows] ^ own[i]).view(np.uint8), axis=1).sum(axis=1)
            expected[q, photo[rows]] += weights[word[i]] * table[bits]
    np.testing.assert_array_equal(got, expected * factors[0][:, None] * factors[1])
    ids = rng.permutation(photos)
    alive = (rng.random(photos) < 0.9).astype(np.uint8)
    similarities, best = lists.best(
        none, asked, weights, table, 3, tau, *factors, ids=ids, alive=alive, k=20
    )
    for q in range(queries):
        rows = np.flatnonzero(alive)
        rows = rows[np.lexsort((ids[rows], -got[q, rows]))[:20]]
        np.testing.assert_array_equal(best[q], ids[rows])
        np.testing.assert_array_equal(similarities[q], got[q, rows])
