"""The kernels of binary codes and scattered rows against plain numpy, at every level, between forbidden pages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core

Guard = Callable[..., np.ndarray]


@pytest.mark.parametrize("words", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("blocks", [0, 1, 3, 4, 5, 9])
def test_codes_within_a_distance(
    level: str, words: int, blocks: int, guarded: Guard, rng: np.random.Generator
) -> None:
    codes = rng.integers(0, 1 << 63, (8 * blocks, words), dtype=np.uint64) * np.uint64(2)
    codes += rng.integers(0, 2, codes.shape, dtype=np.uint64)
    query = rng.integers(0, 1 << 63, words, dtype=np.uint64)
    distances = np.bitwise_count(codes ^ query).sum(axis=1).astype(int)
    placed = guarded(np.ascontiguousarray(codes.reshape(blocks, 8, words).transpose(0, 2, 1)))
    for limit in (-1, 0, int(np.median(distances)) if blocks else 3, 64 * words):
        rows, found = _core.kernels.hamming_within(guarded(query), placed, limit)
        np.testing.assert_array_equal(rows, np.flatnonzero(distances <= limit))
        np.testing.assert_array_equal(found, distances[distances <= limit])


# A bias may come from a file: sums that leave 32 bits wrap around, at every level alike.
@pytest.mark.parametrize("largest", [1000, 2**31 - 1])
@pytest.mark.parametrize("d", [1, 4, 16, 17, 63, 64, 65, 128, 200])
def test_sums_of_scattered_rows(
    level: str, d: int, largest: int, guarded: Guard, rng: np.random.Generator
) -> None:
    query = rng.integers(-128, 128, d).astype(np.int8)
    codes = rng.integers(0, 256, (9, d), dtype=np.uint8)
    query[:2], codes[0, :2] = -128, 255
    bias = rng.choice([-largest, -largest // 3, largest], 9).astype(np.int32)
    places = np.array([8, 0, 3, 3, 5, 6], np.uint32)
    got = _core.kernels.row_sums(guarded(query), guarded(codes), guarded(bias), places)
    expected = (codes[places] @ query.astype(int)) + bias[places]
    np.testing.assert_array_equal(got, expected.astype(np.int32))


@pytest.mark.parametrize("b", [0, 1, 3, 5, 9])
def test_hadamard_transform(level: str, b: int, rng: np.random.Generator) -> None:
    size = 1 << b
    matrix = np.ones((1, 1))
    for _ in range(b):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    x = rng.standard_normal((3, max(1, size - 1))).astype(np.float32)
    signs = (2 * rng.integers(0, 2, (2, 2, size)) - 1).astype(np.float32)
    got = _core.quantize.hadamard(x, signs)
    padded = np.zeros((3, size))
    padded[:, : x.shape[1]] = x
    for block in range(2):
        y = padded
        for turn in signs[block]:
            y = (y * turn) @ matrix / np.sqrt(size)
        np.testing.assert_allclose(got[:, block * size : (block + 1) * size], y, atol=1e-5)
    before = _core.level()
    _core.set_level("baseline")
    np.testing.assert_array_equal(_core.quantize.hadamard(x, signs), got)
    _core.set_level(before)
