"""The partition that builds k-d trees: stable, at every level, within its arrays."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold import _core


@pytest.mark.parametrize("at_start", [False, True])
def test_the_keys_below_come_first_in_their_order(at_start, level, guarded, rng) -> None:
    for n in [*range(35), 100, 1001]:
        keys = rng.integers(0, 2**64, n, np.uint64)
        keys[::3] = keys[::3] >> np.uint64(60)
        for pivot in (0, 5, 2**63, 2**64 - 1, *keys[:2].tolist()):
            placed = guarded(keys, at_start=at_start)
            below = _core.kernels.kd_partition(placed, pivot)
            is_below = keys < np.uint64(pivot)
            assert below == is_below.sum()
            np.testing.assert_array_equal(placed[:below], keys[is_below])
            np.testing.assert_array_equal(placed[below:], keys[~is_below])
