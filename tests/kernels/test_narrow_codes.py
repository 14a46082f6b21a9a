"""Narrow codes to bytes, and rows on scales of their own, against plain numpy, between forbidden pages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core

Guard = Callable[..., np.ndarray]


def narrow(lines: np.ndarray, bits: int) -> np.ndarray:
    """Lines (blocks, lines, 64) of bytes whose lower bits are zero, as they are packed."""
    share = {4: 2, 6: 4}[bits]
    missing = -lines.shape[1] % share
    padded = np.pad(lines, ((0, 0), (0, missing), (0, 0))).reshape(len(lines), -1, share, 64)
    if bits == 4:
        packed = padded[:, :, 0] >> 4 | padded[:, :, 1]
    else:
        last = padded[:, :, 3]
        parts = [padded[:, :, i] | (last >> (6 - 2 * i)) & 3 for i in range(3)]
        packed = np.stack(parts, axis=2)
    return np.ascontiguousarray(packed.reshape(len(lines), -1).astype(np.uint8))


@pytest.mark.parametrize("bits", [4, 6])
@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 7, 8, 32])
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_bytes(
    level: str, bits: int, lines: int, blocks: int, guarded: Guard, rng: np.random.Generator
) -> None:
    wide = rng.integers(2**bits, size=(blocks, lines, 64)).astype(np.uint8) << (8 - bits)
    got = _core.kernels.widen_codes(guarded(narrow(wide, bits)), lines, bits)
    np.testing.assert_array_equal(got.reshape(wide.shape), wide)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 40, 256])
def test_rows_on_scales_of_their_own(
    level: str, n: int, guarded: Guard, rng: np.random.Generator
) -> None:
    """Whole numbers of few bits: float32 sums are exact, whatever the order."""
    scales = rng.integers(-50, 50, (4, n)).astype(np.float32)
    sums = rng.integers(-1000, 1000, n).astype(np.int32)
    reach = np.array([1, -3, 2, -5, 0], np.float32)
    values = reach[:4] @ (scales * np.stack([np.ones(n), np.ones(n), sums, np.ones(n)]))
    for limit in (-1e6, 0, 1e6, np.nan):
        reach[4] = limit
        got = _core.kernels.scaled_within(guarded(scales), guarded(sums), guarded(reach))
        np.testing.assert_array_equal(got, np.flatnonzero(~(values > limit)))
