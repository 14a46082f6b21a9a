"""Classical scaling: from squared distances or kernels to coordinates."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.transform.eigen import leading

_Floats = NDArray[np.float64]
_ROWS = 1024
# Matrices of this order are small enough for double precision throughout.
_DOUBLE = 1500


class Spectrum(NamedTuple):
    """The leading part of a centred matrix.

    values : float64 (k,), falling, none negative
    vectors : float64 (k, n), orthonormal rows; rows of zeros where the value is zero
    means : float64 (n,), of the columns before centring
    """

    values: _Floats
    vectors: _Floats
    means: _Floats

    def coordinates(self) -> Vectors:
        """Coordinates of the n points, float32 (n, k)."""
        with np.errstate(over="ignore"):  # told by as_answer
            points: Vectors = (self.vectors * np.sqrt(self.values)[:, None]).T.astype(np.float32)
        return np.ascontiguousarray(points)


def precision(n: int) -> type[np.floating[Any]]:
    """How a matrix (n, n) is held: float64 where that costs little."""
    return np.float64 if n <= _DOUBLE else np.float32


def centred_spectrum(matrix: NDArray[Any], k: int) -> Spectrum:
    """The k largest eigenvalues of J A J, J = I - 1 1^T / n, for a symmetric A, which is overwritten.

    Eigenvalues that rounding may have made count as zero. Of each vector the entry of largest magnitude is positive.
    """
    n = len(matrix)
    # Where sums would overflow or products vanish, by a power of two: exact, and undone at the end.
    largest = max(float(matrix.max()), -float(matrix.min()))
    power = 0 if 2**-50 < largest < 2**50 else -math.frexp(largest)[1]
    if power:
        np.ldexp(matrix, power, out=matrix)
    means = np.zeros(n)
    for start in range(0, n, _ROWS):
        means += matrix[start : start + _ROWS].sum(axis=0, dtype=np.float64)
    means /= n
    shift = (means - means.mean()).astype(matrix.dtype)
    across = means.astype(matrix.dtype)
    for start in range(0, n, _ROWS):
        block = matrix[start : start + _ROWS]
        block -= across
        block -= shift[start : start + _ROWS, None]
    values, vectors = leading(matrix, k)
    noise = np.finfo(matrix.dtype).eps * np.sqrt(n) * max(values[0], 0)
    values = np.where(values > noise, values, 0)
    vectors = signed(vectors) * (values > 0)[:, None]
    return Spectrum(np.ldexp(values, -power), vectors, np.ldexp(means, -power))


def signed(vectors: _Floats) -> _Floats:
    """Rows (k, n) with their entries of largest magnitude positive."""
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.where(vectors[np.arange(len(vectors)), largest] < 0, -1.0, 1.0)
    return vectors * signs[:, None]


def placed(rows: NDArray[Any], means: _Floats, coordinates: Vectors, values: _Floats) -> Vectors:
    """Coordinates (q, k) of new points from their rows (q, m) of the matrix before centring.

    means (m,), coordinates (m, k), values (k,) : of the points that the columns stand for. Bengio et al., NIPS 2003.
    """
    inverse = np.divide(1, values, out=np.zeros_like(values), where=values > 0)
    centred = rows - means
    # The coordinates sum to zero but for rounding, which a large common part would multiply.
    centred -= centred.mean(axis=1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        points: Vectors = ((centred @ coordinates) * inverse).astype(np.float32)
    return points
