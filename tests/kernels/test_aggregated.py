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
    _, found, parts = _core.scan.aggregate(x, each, words, codebook, codebook, True)
    above = x - codebook > codebook
    bits = np.zeros((count + 1, 64 * parts.shape[1]), np.uint8)
    bits[:, :d] = above
    np.testing.assert_array_equal(
        np.unpackbits(parts.view(np.uint8), axis=1, bitorder="little"), bits
    )
    photo = guarded(np.arange(count, dtype=np.uint32)[::-1])
    lists = _core.scan.ByWord(count, np.array([0, count]), photo, guarded(parts[1:]))
    query = _core.scan.ByPhoto(1, np.array([0, 1]), found[:1], guarded(parts[:1]))
    none = _core.scan.ByPhoto(1, np.array([0]), found[:0], parts[:0])
    table = np.where(np.arange(64 * parts.shape[1] + 1) < d / 2, rng.random(), 0)
    apart = (above[1:] != above[0]).sum(axis=1)
    got = lists.scores(
        none, query, np.array([3], np.float32), guarded(table.astype(np.float32)), 3, 0,
        np.ones(1, np.float32), guarded(np.ones(count, np.float32)),
    )  # fmt: skip
    expected = np.float32(3) * table.astype(np.float32)[apart]
    np.testing.assert_array_equal(got[0, photo], expected)
