"""Arrays that lie between two pages which nobody may touch."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable

import numpy as np
import pytest

PAGE = mmap.PAGESIZE


def place_at_guard(array: np.ndarray, *, at_start: bool = False) -> np.ndarray:
    """A copy that ends where a forbidden page begins (or begins where one ends).

    Reading one byte too far is then a segmentation fault, not a number that happens to be harmless.
    """
    inside = -(-max(array.nbytes, 1) // PAGE) * PAGE
    pages = mmap.mmap(-1, inside + 2 * PAGE)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    base = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for page in (base, base + PAGE + inside):
        if protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE if at_start else PAGE + inside - array.nbytes
    placed = np.frombuffer(pages, array.dtype, array.size, offset).reshape(array.shape)
    placed[...] = array
    return placed


@pytest.fixture
def guarded() -> Callable[..., np.ndarray]:
    if sys.platform == "win32":
        pytest.skip("guard pages are made with mprotect")
    return place_at_guard
