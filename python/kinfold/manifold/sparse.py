"""The smallest eigenvalues of large sparse matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.transform.eigen import leading_of

_Floats = NDArray[np.float64]

# Entries of a factor that is worth its time: graphs of surfaces stay far below, those of many dimensions do not.
_FILL = 8_000_000
# Entries of the largest factor that is computed where there is no other way: 12 bytes each.
_MOST_FILL = 200_000_000
# How far the matrix is moved from being singular, beside its largest diagonal entry.
_SHIFT = 1e-12


def smallest(
    starts: ArrayLike, columns: Any, values: Any, null: _Floats, k: int, bound: float | None = None
) -> tuple[_Floats, _Floats]:
    """The k smallest eigenvalues (k,), rising, with their eigenvectors as rows (k, n), apart from a null vector.

    starts, columns, values : a symmetric matrix without negative eigenvalues, in compressed rows, both halves
    null : float64 (n,), a unit vector that the matrix takes to zero
    bound : at least the largest eigenvalue; given where the small ones are not crowded together: then a matrix whose
        factor would be large is multiplied with instead

    By factorization and block Lanczos on the inverse.
    """
    n = len(null)
    matrix = _core.manifold.Symmetric(starts, columns, np.ascontiguousarray(values, np.float64))
    rows = np.repeat(np.arange(n), np.diff(starts))
    shift = _SHIFT * float(np.abs(values[rows == columns]).max(initial=1e-300))
    if matrix.factorize(shift, _MOST_FILL if bound is None else _FILL):
        inverse: Callable[[_Floats], _Floats] = matrix.solve
    elif bound is None:
        raise ValueError(
            f"X: expected points whose neighbour graph can be factorized; that of these {n} has too many dimensions"
        )
    else:

        def inverse(block: _Floats) -> _Floats:
            return bound * block - matrix.multiply(block)

    def product(block: _Floats) -> _Floats:
        block = np.ascontiguousarray(block - null[:, None] * (null @ block))
        image: _Floats = inverse(block)
        return image - null[:, None] * (null @ image)

    _, vectors = leading_of(product, n, k, tolerance=1e-9)
    # The quotient says more of the eigenvalue than what the inverse rounds to.
    images = matrix.multiply(np.ascontiguousarray(vectors.T))
    return np.einsum("kn,nk->k", vectors, images), vectors
