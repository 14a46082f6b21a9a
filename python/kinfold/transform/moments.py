"""Mean and scatter of vectors that come in chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors

_ROWS = 8192  # as many at a time become float64


class Moments:
    """Count, mean (d,) and scatter sum (x - mean)(x - mean)^T (d, d), float64.

    Chunks are merged by the pairwise update of Chan, Golub & LeVeque (1979): no sums of raw squares, so a
    large mean costs no digits.
    """

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(dim)
        self.scatter: NDArray[np.float64] = np.zeros((dim, dim))

    def add(self, vectors: Vectors) -> None:
        """Add vectors (n, d)."""
        for start in range(0, len(vectors), _ROWS):
            chunk = vectors[start : start + _ROWS].astype(np.float64)
            mean = chunk.mean(axis=0)
            chunk -= mean
            self.scatter += chunk.T @ chunk
            both = self.count + len(chunk)
            gap = mean - self.mean
            self.scatter += np.outer(gap, gap * (self.count * len(chunk) / both))
            self.mean += gap * (len(chunk) / both)
            self.count = both

    def covariance(self) -> NDArray[np.float64]:
        """The covariance (d, d), divided by the count."""
        return self.scatter / self.count


def rest_of(
    mean: NDArray[np.float64], projection: Vectors, sizes: NDArray[np.float64]
) -> Vectors | None:
    """What rounding to float32 took from a mean (d,): float32 (d,); None where no answer shows it.

    projection (d, k) : what centred vectors are multiplied by. sizes (k,) : how large answers commonly are
    """
    rest = mean - mean.astype(np.float32)
    seen = (np.abs(rest @ projection) > 1e-4 * sizes).any()
    return rest.astype(np.float32) if seen else None


def without(rest: Vectors | None, projection: Vectors) -> Vectors | None:
    """What is added to answers because of the rest of a mean; None for nothing."""
    return -(rest @ projection) if rest is not None else None
