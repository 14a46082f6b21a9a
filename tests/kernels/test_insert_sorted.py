"""Sorted lists of fixed length against Python's own."""

from __future__ import annotations

import bisect
from collections.abc import Callable

import numpy as np
import pytest

from kinfold import _core


@pytest.mark.parametrize("n", [8, 16, 56])
@pytest.mark.parametrize("ignored", [0, 1])
def test_is_a_sorted_list_without_repeats(
    n: int, ignored: int, level: str, rng: np.random.Generator, guarded: Callable[..., np.ndarray]
) -> None:
    keys = guarded(np.full(n, np.iinfo(np.uint64).max, np.uint64))
    expected = keys.tolist()
    news = [*rng.integers(0, 300, 400).tolist(), 0, 2**63, 2**64 - 1]
    for key in news:
        there = any(key & ~ignored == old & ~ignored for old in expected)
        fits = key & ~ignored <= expected[-1] and not there
        if fits:
            bisect.insort(expected, key)
            expected.pop()
        assert _core.kernels.insert_sorted(keys, key, ignored) == fits
        assert keys.tolist() == expected
