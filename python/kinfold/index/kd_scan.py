"""Where a k-d tree would look at almost every leaf: an exact scan that answers as the tree does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.index.flat import FlatIndex

Points = NDArray[Any]

# Measured for points that fill their space: up to 12 dimensions the tree is faster, from 14 on the scan.
DIMENSIONS = 14
# The scan's distances are float32: beyond this their squares overflow.
LARGEST = 1e17
# Candidates beyond k that float64 points are scored for; where they prove too few, the tree answers.
SPARE = 8
ROUNDING = 2.0**-24


def scan_is_faster(n: int, d: int) -> bool:
    """Whether a scan of n points beats a tree over them: from 14 dimensions on.

    The leaves that a tree must look at grow exponentially with the dimension (Friedman, Bentley &
    Finkel 1977), while a scan by 8-bit products costs the same up to 64 dimensions.
    """
    return d >= DIMENSIONS and n > 0


class Scan:
    """The k nearest by Euclidean distance among points (n, d), float32 or float64, of moderate size.

    float32 points are ranked by the float32 distance. For float64 points the scan of rounded points
    proposes candidates, which are ranked by the float64 distance; a bound on all roundings tells
    whether others could be nearer.
    """

    def __init__(self, points: Points) -> None:
        self._points = points
        self._double = points.dtype == np.float64
        self._centre = points.mean(axis=0) if self._double else np.zeros((), points.dtype)
        self._index = FlatIndex(points.shape[1])
        rounded = (points - self._centre).astype(np.float32) if self._double else points
        self._index.add(rounded)
        self._largest = float(np.sqrt(np.einsum("ij,ij->i", rounded, rounded).max()))

    def nearest(
        self, queries: Points, k: int, threads: int
    ) -> tuple[Points, NDArray[np.int64], NDArray[np.bool_]]:
        """Squared distances and rows (nq, k), inf and -1 past the end, and which queries are proven (nq,)."""
        if not self._double:
            found = self._index.search(queries, k, threads=threads)
            return found.distances, found.ids, np.ones(len(queries), np.bool_)
        n, d = self._points.shape
        wanted = min(n, k + SPARE)
        centred = queries - self._centre
        found = self._index.search(centred.astype(np.float32), wanted, threads=threads)
        # By row first, so that a stable sort leaves ties in the order of rows.
        rows = np.sort(found.ids, axis=1)
        squares = np.zeros(rows.shape)
        for j in range(d):
            difference = queries[:, None, j] - self._points[:, j][rows]
            squares += difference * difference
        order = np.argsort(squares, axis=1, kind="stable")[:, :k]
        rows, squares = np.take_along_axis(rows, order, 1), np.take_along_axis(squares, order, 1)
        # What was not proposed has at least the last candidate's float32 distance. Sums of d terms in 32
        # lanes are off by less than d / 32 + 9 roundings, and each point by one.
        last = found.distances[:, -1].astype(np.float64) / (1 + (d / 32 + 9) * ROUNDING)
        size = self._largest + np.sqrt(np.einsum("ij,ij->i", centred, centred))
        # Subtracting the centre rounds as well, in float64.
        offset = np.abs(self._centre).sum() * 2.0**-50
        least = np.sqrt(last) - 1.01 * (ROUNDING * size + offset)
        proven = (np.sqrt(squares[:, -1]) * (1 + 1e-12) < least) | (wanted == n)
        missing = k - rows.shape[1]
        if missing > 0:
            squares = np.pad(squares, ((0, 0), (0, missing)), constant_values=np.inf)
            rows = np.pad(rows, ((0, 0), (0, missing)), constant_values=-1)
        return squares, rows, proven
