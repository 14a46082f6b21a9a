"""Rows that are equal: of many copies, lists of the nearest hold nothing but some of the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors

# Rows that are hashed at once.
_BLOCK = 1 << 14


def first_copies(x: Vectors) -> Ids:
    """The first row that equals each row, int64 (n,): its own number where there is none before it.

    x : float32 (n, d); 0 and -0 are equal
    """
    hashes = np.concatenate([_hash(x[at : at + _BLOCK]) for at in range(0, max(len(x), 1), _BLOCK)])
    _, start, place = np.unique(hashes, return_index=True, return_inverse=True)
    first = start[place.reshape(-1)].astype(np.int64)
    named = np.flatnonzero(first != np.arange(len(x)))
    equal = [
        (x[rows] == x[first[rows]]).all(axis=1)
        for rows in (named[at : at + _BLOCK] for at in range(0, len(named), _BLOCK))
    ]
    # One hash for different rows: it does not happen, and would be no harm.
    other = named[~np.concatenate(equal)] if equal else named
    if len(other):
        _, start, place = np.unique(x[other], axis=0, return_index=True, return_inverse=True)
        first[other] = other[start[place.reshape(-1)]]
    return first


def _hash(rows: Vectors) -> NDArray[np.uint64]:
    """A number for each row, the same for equal rows."""
    bits = np.ascontiguousarray(rows + np.float32(0), np.float32).view(np.uint32)
    factors = np.random.default_rng(0).integers(1, 1 << 63, rows.shape[1], np.uint64) * 2 + 1
    hashes: NDArray[np.uint64] = (bits.astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    return hashes
