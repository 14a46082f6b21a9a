"""Eigenvectors of covariance and Gram matrices, largest eigenvalues first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Matrix = NDArray[np.float64]

# A full decomposition of this size takes some seconds; it grows with the cube.
_FULL = 1500
_MOST_ROUNDS = 40


def leading(matrix: _Matrix, k: int) -> tuple[_Matrix, _Matrix]:
    """The k largest eigenvalues (k,), falling, and their eigenvectors as rows (k, m).

    matrix : float64 (m, m), symmetric, no negative eigenvalues
    Complete decomposition for small matrices and many eigenvectors. Else subspace iteration with Rayleigh-Ritz
    projection (Halko, Martinsson & Tropp 2011, section 4.5, with as many rounds as it takes): until no round
    changes an eigenvalue by more than a thousandth of the smallest of them.
    """
    m = len(matrix)
    if m <= _FULL or 8 * k > m:
        values, vectors = np.linalg.eigh(matrix)
        return values[::-1][:k], vectors.T[::-1][:k]
    width = k + max(16, k // 4)  # the further ones speed up the last that count
    basis = np.linalg.qr(matrix @ np.random.default_rng(0).standard_normal((m, width)))[0]
    before = np.zeros(k)
    for _ in range(_MOST_ROUNDS):
        image = matrix @ basis
        values, rotation = np.linalg.eigh(basis.T @ image)
        top = values[::-1][:k]
        if np.abs(top - before).max() <= 1e-3 * max(top[-1], 1e-12 * top[0]):
            break
        before = top
        basis = np.linalg.qr(image)[0]
    return top, (basis @ rotation[:, ::-1][:, :k]).T
