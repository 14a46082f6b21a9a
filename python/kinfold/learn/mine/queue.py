"""Descriptors of photos that were seen lately, as a pool of negatives larger than a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_count, as_ids
from kinfold.index.flat import FlatIndex
from kinfold.learn.mine.descriptors import as_mined

# Queries whose whole rankings are held at once.
_ROWS = 256


class DescriptorQueue:
    """The last descriptors that were given, and the hardest negatives among them.

    size : so many are kept; the oldest leave
    dim : length of a descriptor
    A photo that is given again replaces what it was. Its state is arrays, for checkpoints: ``arrays``, ``from_arrays``.
    """

    def __init__(self, size: int, dim: int) -> None:
        self.size = as_count(size, "size")
        self.dim = as_count(dim, "dim")
        self._index = FlatIndex(self.dim, metric="l2")
        self._labels: dict[int, int] = {}  # by id, the oldest first

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def ids(self) -> Ids:
        """Of what is kept, the oldest first: int64 (n,)."""
        return np.fromiter(self._labels, np.int64, len(self))

    def push(self, descriptors: Any, labels: Any, ids: Any) -> None:
        """Take descriptors (n, dim) of photos, their classes (n,) and their numbers (n,)."""
        vectors = as_mined(descriptors, dim=self.dim)
        rows = as_ids(ids, "ids", n=len(vectors))
        classes = as_ids(labels, "labels", n=len(vectors))
        if len(np.unique(rows)) < len(rows):
            raise ValueError("ids: expected each photo once")
        kept = slice(max(len(rows) - self.size, 0), None)
        vectors, rows, classes = vectors[kept], rows[kept], classes[kept]
        again = [row for row in rows.tolist() if row in self._labels]
        for row in again:
            del self._labels[row]
        over = list(self._labels)[: max(len(self) + len(rows) - self.size, 0)]
        for row in over:
            del self._labels[row]
        if again or over:
            self._index.remove(np.array(again + over, np.int64))
        self._index.add(vectors, ids=rows)
        self._labels.update(zip(rows.tolist(), classes.tolist()))

    def hardest(
        self, descriptors: Any, labels: Any, k: int, *, one_per_class: bool = True
    ) -> tuple[Ids, NDArray[np.bool_]]:
        """The nearest kept photos of other classes: their numbers int64 (n, k), and whether there is one, bool (n, k).

        one_per_class : of each class the nearest alone
        """
        vectors = as_mined(descriptors, dim=self.dim)
        classes, count = as_ids(labels, "labels", n=len(vectors)), as_count(k, "k")
        found = np.full((len(vectors), count), -1, np.int64)
        known = self.ids
        by_id = np.argsort(known)
        label = np.fromiter(self._labels.values(), np.int64, len(self))[by_id]
        for start in range(0, len(vectors) if len(self) else 0, _ROWS):
            ids = self._index.search(vectors[start : start + _ROWS], k=len(self))[1]
            theirs = label[np.searchsorted(known[by_id], ids)]
            for row in range(len(ids)):
                others = np.flatnonzero(theirs[row] != classes[start + row])
                if one_per_class:
                    others = others[np.sort(np.unique(theirs[row, others], return_index=True)[1])]
                chosen = ids[row, others[:count]]
                found[start + row, : len(chosen)] = chosen
        return found, found >= 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it holds, the oldest first."""
        labels = np.fromiter(self._labels.values(), np.int64, len(self))
        vectors = (
            self._index.reconstruct(self.ids) if len(self) else np.empty((0, self.dim), np.float32)
        )
        return {"vectors": vectors, "ids": self.ids, "labels": labels}

    @classmethod
    def from_arrays(cls, size: int, dim: int, arrays: dict[str, NDArray[Any]]) -> DescriptorQueue:
        """The queue that had these."""
        queue = cls(size, dim)
        if len(arrays["ids"]):
            queue.push(arrays["vectors"], arrays["labels"], arrays["ids"])
        return queue
