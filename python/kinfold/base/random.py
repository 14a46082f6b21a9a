"""Randomness comes from an explicit seed alone."""

from __future__ import annotations

import numpy as np


def generator(seed: int | np.random.Generator) -> np.random.Generator:
    """A generator from a whole number >= 0, or the given generator itself."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected a whole number >= 0 or a numpy Generator, got {seed!r}")
    return np.random.default_rng(int(seed))
