"""A batch as miners see it: who is how far from whom, and of which class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_ids
from kinfold.index.flat import FlatIndex
from kinfold.learn.mine.descriptors import as_mined
from kinfold.learn.mine.found import Triplets


@dataclass(frozen=True)
class Batch:
    """n descriptors.

    labels : int64 (n,)
    order : int64 (n, n)    rows by ascending distance from each; at equal distances the smaller first
    distances : float64 (n, n)    Euclidean, from row to row
    positive, negative : bool (n, n)    whether another row is of the same class, or of another
    """

    labels: Ids
    order: Ids
    distances: NDArray[np.float64]
    positive: NDArray[np.bool_]
    negative: NDArray[np.bool_]

    @classmethod
    def of(cls, descriptors: Any, labels: Any) -> Batch:
        """From vectors (n, d) and classes (n,), tensors or arrays. ValueError where one is not finite."""
        vectors = as_mined(descriptors)
        n = len(vectors)
        ids = as_ids(labels, "labels", n=n)
        squares, order = ranked(vectors, "l2")
        distances = np.empty((n, n))
        np.put_along_axis(distances, order, np.sqrt(squares.astype(np.float64)), axis=1)
        same = ids[:, None] == ids
        return cls(ids, order, distances, same & ~np.eye(n, dtype=bool), ~same)

    def pairs(self) -> tuple[Ids, Ids]:
        """All (anchor, positive): int64 (m,) each."""
        anchor, positive = np.nonzero(self.positive)
        return anchor, positive

    def nearest(self, anchor: Ids, allowed: NDArray[np.bool_]) -> tuple[Ids, NDArray[np.bool_]]:
        """The nearest row to each anchor of those allowed to it, bool (m, n); and whether there is one, bool (m,)."""
        ranked = np.take_along_axis(allowed, self.order[anchor], axis=1)
        first = ranked.argmax(1)
        return self.order[anchor, first], ranked.max(1)

    def farthest(self, anchor: Ids, allowed: NDArray[np.bool_]) -> tuple[Ids, NDArray[np.bool_]]:
        """The farthest one."""
        ranked = np.take_along_axis(allowed, self.order[anchor], axis=1)[:, ::-1]
        first = ranked.argmax(1)
        return self.order[anchor, -1 - first], ranked.max(1)


def ranked(vectors: Any, metric: str) -> tuple[NDArray[np.float32], Ids]:
    """For each of n vectors all of them, nearest first: distances or similarities (n, n), and rows int64 (n, n)."""
    index = FlatIndex(vectors.shape[1], metric=metric)
    index.add(vectors)
    found = index.search(vectors, k=len(vectors))
    return found[0], found[1]


def triplets(anchor: Any, positive: Any, negative: Any) -> Triplets:
    """By anchor, then positive, then negative."""
    rows = np.stack([anchor, positive, negative]).astype(np.int64)
    return Triplets(*np.ascontiguousarray(rows[:, np.lexsort(rows[::-1])]))
