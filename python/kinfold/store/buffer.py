"""Arrays that grow behind what readers hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Buffer:
    """Rows in a buffer of our own with room to grow.

    Readers of an older view are not disturbed: rows are only ever written beyond its end.
    """

    def __init__(self) -> None:
        self._buffer: NDArray[Any] | None = None

    def extended(self, array: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
        """``array`` followed by ``more``: in place where array is a view of our buffer with room left."""
        n, total = len(array), len(array) + len(more)
        buffer = self._buffer
        if buffer is None or array.base is not buffer or len(buffer) < total:
            buffer = np.empty((max(total, 2 * n), *array.shape[1:]), array.dtype)
            buffer[:n] = array
            self._buffer = buffer
        buffer[n:total] = more
        return buffer[:total]
