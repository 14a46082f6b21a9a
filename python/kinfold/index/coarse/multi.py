"""The inverted multi-index: cells are pairs of two codebooks' words, visited by multi-sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_array, as_count
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count
from kinfold.base.spelling import Spelt
from kinfold.index.coarse.base import LearntCells
from kinfold.quantize.kmeans import assign


def multi_sequence(left: Any, right: Any, most: int | None = None) -> tuple[Ids, Ids, Vectors]:
    """Pairs (i, j) by ascending left[i] + right[j], each once; ties by the ranks of i, then of j.

    left, right : float32 (n,), (m,)
    most : how many pairs at most; all where None
    Returns i int64, j int64 and the float32 sums.
    Babenko & Lempitsky, CVPR 2012, algorithm 1.
    """
    sides = []
    for x, name in ((left, "left"), (right, "right")):
        array = as_array(x, name)
        if array.ndim != 1 or len(array) > 65536 or not np.isfinite(array).all():
            raise ValueError(
                f"{name}: expected up to 65536 finite numbers, got shape {array.shape}"
            )
        sides.append(np.ascontiguousarray(array, dtype=np.float32))
    count = len(sides[0]) * len(sides[1])
    wanted = count if most is None else min(count, as_count(most, "most", least=0))
    i, j, sums = _core.lists.multi_sequence(sides[0], sides[1], wanted)
    return i, j, sums


class MultiCells(LearntCells):
    """K * K cells: the first half of a vector's dimensions has K centroids, and so has the second.

    k : centroids of each half, K
    iterations, sample, seed, verbose : as for KMeans; sample counts training vectors a centroid
    The dimension must be even. Babenko & Lempitsky, CVPR 2012.
    """

    kind: ClassVar[str] = "index.MultiCells"
    counts_rows: ClassVar[bool] = True

    k = Count(most=1 << 14)
    centroids = Learnt(np.float32, (2, "k", "half"), finite=True)

    def __init__(
        self,
        k: int,
        *,
        iterations: int = 10,
        sample: int = 256,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self._set(k, iterations, sample, seed, verbose)

    @classmethod
    def from_word(cls, spelt: Spelt) -> MultiCells:
        """IMI2x10: 2**10 centroids of each half."""
        bits = as_count(spelt.numbers["bits"], "spec: bits of a multi-index", most=14)
        if spelt.dim % 2:
            raise ValueError(f"spec: a multi-index needs an even dimension, got {spelt.dim}")
        return cls(1 << bits, **spelt.training)

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return self.k * self.k

    @property
    def dim(self) -> int | None:
        """The dimension, once it is known."""
        return 2 * self.centroids.shape[2] if hasattr(self, "centroids") else None

    def fit(self, x: Vectors) -> MultiCells:
        """Learn both codebooks from at least K vectors (n, d)."""
        if x.shape[1] % 2:
            raise ValueError(f"x: expected an even dimension for a multi-index, got {x.shape[1]}")
        halves = [
            self._means(np.ascontiguousarray(part), seed=side)
            for side, part in enumerate(np.split(x, 2, axis=1))
        ]
        self.centroids = np.stack(halves)
        return self

    def assign(self, x: Vectors) -> Ids:
        """The cell of each vector: first half's word * K + second half's word."""
        if not len(x):
            return np.empty(0, np.int64)
        left, right = (
            assign(np.ascontiguousarray(part), words)[0]
            for part, words in zip(np.split(x, 2, axis=1), self.centroids)
        )
        return left * self.k + right

    def centroids_of(self, cells: Ids) -> Vectors:
        """Both halves' centroids side by side, float32 (n, d)."""
        left, right = self.centroids
        return np.concatenate([left[cells // self.k], right[cells % self.k]], axis=1)

    def middle(self) -> Vectors:
        """The mean centroid."""
        means = self.centroids.mean(axis=1, dtype=np.float64)
        return means.reshape(-1).astype(np.float32)

    def reach(self) -> float:
        """The largest squared distance of a cell's centroid from the middle."""
        away = self.centroids.astype(np.float64) - self.middle().reshape(2, 1, -1)
        return float(np.einsum("hij,hij->hi", away, away).max(axis=1).sum())

    def engine(self, metric: str) -> dict[str, Any]:
        """The two codebooks."""
        return {"centroids": self.centroids, "multi": True, "coarse_scan": None}
