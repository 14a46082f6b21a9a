"""Normalisation of vectors, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Vectors, as_array, as_number, as_vectors


def l2_normalize(x: ArrayLike) -> Vectors:
    """Vectors (n, d), or one (d,), at Euclidean length one; zero vectors stay zero. Float32, a new array."""
    x = as_array(x, "x")
    vectors = as_vectors(x, "x", empty=True, one=True, long=True)
    # In float64, where no square of a float32 overflows or vanishes.
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    lengths[lengths == 0] = 1
    unit = np.empty_like(vectors)
    np.divide(vectors, lengths[:, None], out=unit, casting="same_kind")
    return unit.reshape(x.shape)


def power_normalize(x: ArrayLike, exponent: float = 0.5) -> Vectors:
    """sign(x) |x|^exponent of every number of vectors (n, d) or (d,): tames bursts. Float32, a new array.

    Perronnin, Sanchez & Mensink, ECCV 2010. exponent in [0, 1]; 0 keeps the signs alone.
    """
    x = as_array(x, "x")
    vectors = as_vectors(x, "x", empty=True, one=True, long=True)
    power = as_number(exponent, "exponent", least=0, most=1)
    tamed = np.sign(vectors)
    tamed *= np.sqrt(np.abs(vectors)) if power == 0.5 else np.abs(vectors) ** np.float32(power)
    return tamed.reshape(x.shape)
