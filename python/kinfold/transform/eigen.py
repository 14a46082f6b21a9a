"""Largest eigenvalues of symmetric matrices, and their eigenvectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Matrix = NDArray[np.float64]

# A full decomposition of this size takes a tenth of a second; it grows with the cube.
_FULL = 500
# Up to this order a matrix that is known by its products alone is written down.
_WRITTEN_DOWN = 400
_MOST_ROUNDS = 200


def leading(matrix: Any, k: int) -> tuple[_Matrix, _Matrix]:
    """The k largest eigenvalues (k,), falling, and their eigenvectors as rows (k, m).

    matrix : float64 or float32 (m, m), symmetric
    Complete decomposition for small matrices and many eigenvectors, else `leading_of`.
    """
    m = len(matrix)
    if m <= _FULL or 8 * k > m:
        values, vectors = np.linalg.eigh(matrix)
        return values[::-1][:k].astype(np.float64), vectors.T[::-1][:k].astype(np.float64)

    def product(block: _Matrix) -> _Matrix:
        image: _Matrix = (matrix @ block.astype(matrix.dtype, copy=False)).astype(np.float64)
        return image

    return leading_of(product, m, k, tolerance=1e-6 if matrix.dtype == np.float32 else 1e-9)


def leading_of(
    product: Callable[[_Matrix], _Matrix], m: int, k: int, *, tolerance: float
) -> tuple[_Matrix, _Matrix]:
    """The k largest eigenvalues of a symmetric matrix that is known by its products, as `leading`.

    product : float64 (m, b) to the matrix times it
    tolerance : largest norm of A v - value v, beside the largest |value|

    Block Lanczos with all blocks kept orthogonal and restarts from the best vectors (Golub & Underwood 1977; Wu & Simon
    2000). The beginning is random by a fixed seed, so results repeat.
    """
    if m <= max(_WRITTEN_DOWN, 4 * k):
        matrix = product(np.eye(m))
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return values[::-1][:k], vectors.T[::-1][:k]
    width = k + 4
    room = min(m, max(12 * width, 96))
    basis, images = np.empty((m, room)), np.empty((m, room))
    rayleigh = np.zeros((room, room))
    block = np.linalg.qr(np.random.default_rng(0).standard_normal((m, width)))[0]
    used = 0
    for _ in range(_MOST_ROUNDS):
        after = used + block.shape[1]
        basis[:, used:after] = block
        images[:, used:after] = product(block)
        rayleigh[:after, used:after] = basis[:, :after].T @ images[:, used:after]
        rayleigh[used:after, :used] = rayleigh[:used, used:after].T
        used = after
        square = rayleigh[:used, :used]
        values, rotation = np.linalg.eigh((square + square.T) / 2)
        values, rotation = values[::-1], rotation[:, ::-1]
        top = rotation[:, :k]
        vectors = basis[:, :used] @ top
        gaps = np.linalg.norm(images[:, :used] @ top - vectors * values[:k], axis=0)
        if gaps.max() <= tolerance * np.abs(values).max() or used == m:
            break
        rest = images[:, after - block.shape[1] : after]
        if used + width > room:  # begin again from the best, and what their images add
            keep = min(k + width, used)
            basis[:, :keep] = basis[:, :used] @ rotation[:, :keep]
            images[:, :keep] = images[:, :used] @ rotation[:, :keep]
            rayleigh[:keep, :keep] = np.diag(values[:keep])
            used = keep
            rest = images[:, :width]
        block = _orthogonal_rest(rest, basis[:, :used])
        if not block.shape[1]:  # the images add nothing: all is known
            break
    return values[:k], vectors.T


def _orthogonal_rest(vectors: _Matrix, basis: _Matrix) -> _Matrix:
    """Orthonormal directions of vectors beyond a basis; those that it nearly holds are left out."""
    scale = np.linalg.norm(vectors, axis=0).max()
    rest = vectors - basis @ (basis.T @ vectors)
    rest, triangle = np.linalg.qr(rest)
    rest = rest[:, np.abs(np.diag(triangle)) > 1e-12 * scale]
    rest -= basis @ (basis.T @ rest)
    return np.linalg.qr(rest)[0]
