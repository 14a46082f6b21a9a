"""Principal directions from the Gram matrix or from random projections, and how far to shrink their variances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors

_Matrix = NDArray[np.float64]
_ROWS = 4096
# Of the randomized solver: directions beyond those asked for, and products with the covariance.
_MORE = 10
_ROUNDS = 7


def gram_directions(centred: _Matrix, weights: _Matrix, variances: _Matrix) -> _Matrix:
    """Eigenvectors of the covariance from those of the Gram matrix: the Gram trick.

    centred (n, d), weights (k, n). Where the data have fewer directions than are asked for, the rest is any
    orthonormal completion, chosen by a fixed rule.
    """
    n, d = centred.shape
    found = variances > variances[0] * 1e-13 * max(n, d)
    components = weights @ centred
    count = int(found.sum()) if variances[0] > 0 else 0
    components[count:] = np.random.default_rng(0).standard_normal((len(weights) - count, d))
    lengths = np.linalg.norm(components[:count], axis=1, keepdims=True)
    components[:count] /= lengths
    if count == len(weights) and variances[-1] > variances[0] * 1e-6:
        return components
    # Weak directions lose orthogonality in the product: restored, strongest first.
    return np.linalg.qr(components.T)[0].T


def randomized(
    vectors: Vectors, k: int, random: np.random.Generator
) -> tuple[_Matrix, _Matrix, _Matrix, float]:
    """Mean, components (k, d), variances and total variance, from products with the centred vectors alone."""
    n, d = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    total = float(vectors.var(axis=0, dtype=np.float64).sum())

    # Centred before they are multiplied: the mean may be far longer than what varies.
    def centred() -> Iterator[tuple[slice, Vectors]]:
        for start in range(0, n, _ROWS):
            rows = slice(start, start + _ROWS)
            yield rows, (vectors[rows] - mean).astype(np.float32)

    def along(basis: _Matrix) -> _Matrix:
        narrow = basis.astype(np.float32)
        return np.concatenate([block @ narrow for _, block in centred()]).astype(np.float64)

    def back(images: _Matrix) -> _Matrix:
        narrow = images.astype(np.float32)
        total = np.zeros((d, narrow.shape[1]))
        for rows, block in centred():
            total += block.T @ narrow[rows]
        return total

    width = min(k + _MORE, n - 1, d)
    basis = np.linalg.qr(back(random.standard_normal((n, width))))[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(back(np.linalg.qr(along(basis))[0]))[0]
    _, singular, rotation = np.linalg.svd(along(basis), full_matrices=False)
    return mean, (basis @ rotation.T)[:, :k].T, singular[:k] ** 2 / n, total


def ledoit_wolf(vectors: Vectors, mean: _Matrix, matrix: _Matrix) -> float:
    """The share of shrinkage towards the identity of least expected squared error.

    matrix : covariance or Gram matrix, whose traces are the same
    Ledoit & Wolf, Journal of Multivariate Analysis 88, 2004, section 3.3.
    """
    n, d = vectors.shape
    fourth = 0.0
    for start in range(0, n, _ROWS):
        centred = vectors[start : start + _ROWS] - mean
        fourth += float((np.einsum("ij,ij->i", centred, centred) ** 2).sum())
    squares = float(np.einsum("ij,ij->", matrix, matrix))
    distance = squares - float(np.trace(matrix)) ** 2 / d
    noise = (fourth / n - squares) / n
    return 1.0 if distance <= 0 else float(np.clip(noise / distance, 0, 1))
