"""Codes of 4, 6 or 8 bits as the engine packs them: bytes whose lower bits are zero, for the price of their upper ones.

Blocks of 16 rows; where bytes have lines of 64 (16 rows, four dimensions), narrow codes share lines: see
`cpp/kernels/narrow_codes.cpp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError
from kinfold.base.state import take


def padded(n: int) -> int:
    """Rows of blocks that hold n."""
    return -(-n // 32) * 32


def block_bytes(dim: int, bits: int) -> int:
    """Bytes of 16 rows."""
    tiles = -(-dim // 64)
    lines = -(-dim // (4 * tiles)) * tiles
    return 64 * {4: -(-lines // 2), 6: -(-lines // 4) * 3, 8: lines}[bits]


def narrowed(x: NDArray[np.float64], bits: int) -> NDArray[np.uint8]:
    """The nearest codes to numbers in steps of one code, 0 to 2**bits - 1, in the upper bits of bytes."""
    return (np.rint(x).clip(0, 2**bits - 1).astype(np.uint8) << (8 - bits)).astype(np.uint8)


def widened(
    blocks: NDArray[np.uint8], dim: int, bits: int, rows: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """Some rows of packed codes as bytes, uint8 (n, dim)."""
    shaped = blocks.reshape(-1, block_bytes(dim, bits) // 64, 16, 4)
    lines = shaped[rows // 16, :, rows % 16]
    if bits == 4:
        lines = np.stack([lines << 4, lines & 0xF0], axis=2)
    elif bits == 6:
        threes = lines.reshape(len(rows), -1, 3, 4)
        low = (threes & 3) << np.array([6, 4, 2], np.uint8)[:, None]
        last = np.bitwise_or.reduce(low, axis=2, keepdims=True)
        lines = np.concatenate([threes & 0xFC, last], axis=2)
    return np.ascontiguousarray(lines.reshape(len(rows), -1)[:, :dim])


def check_blocks(packed: Mapping[str, NDArray[Any]], dim: int, bits: int, n: int) -> None:
    """FileFormatError unless these are blocks of n rows."""
    take(packed, "blocks", np.uint8, (padded(n) // 16 * block_bytes(dim, bits),))


def take_finite(packed: Mapping[str, NDArray[Any]], name: str, dtype: Any, size: int) -> None:
    """FileFormatError unless there are so many finite numbers of that name."""
    if not np.isfinite(take(packed, name, dtype, (size,))).all():
        raise FileFormatError(f"array '{name}': expected finite numbers")
