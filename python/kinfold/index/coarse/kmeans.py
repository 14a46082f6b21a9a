"""Cells around the centroids of k-means: the partition of an inverted index."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_vectors, owned
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Flag
from kinfold.index.coarse.base import LearntCells
from kinfold.quantize.kmeans import assign


class KMeansCells(LearntCells):
    """The cells of k centroids; queries visit the nearest ones first.

    k : how many
    iterations, sample, seed, verbose : as for KMeans; sample counts training vectors a cell
    spherical : centroids of length one, for the cosine
    Sivic & Zisserman, ICCV 2003; Jegou, Douze & Schmid, PAMI 2011.
    """

    kind: ClassVar[str] = "index.KMeansCells"

    spherical = Flag()
    centroids = Learnt(np.float32, ("k", "d"), finite=True)

    def __init__(
        self,
        k: int,
        *,
        iterations: int = 10,
        sample: int = 256,
        spherical: bool = False,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self._set(k, iterations, sample, seed, verbose)
        self.spherical = spherical

    @classmethod
    def of(cls, centroids: Vectors) -> KMeansCells:
        """Cells of centroids (k, d) that were learnt elsewhere."""
        given = as_vectors(centroids, "centroids")
        cells = cls(len(given))
        cells.centroids = owned(given, centroids)
        return cells

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return self.k

    @property
    def dim(self) -> int | None:
        """The dimension, once it is known."""
        return self.centroids.shape[1] if hasattr(self, "centroids") else None

    def fit(self, x: Vectors) -> KMeansCells:
        """Learn the centroids from at least k vectors (n, d)."""
        self.centroids = self._means(x, spherical=self.spherical)
        return self

    def assign(self, x: Vectors) -> Ids:
        """The nearest centroid of each vector."""
        return assign(x, self.centroids)[0] if len(x) else np.empty(0, np.int64)

    def centroids_of(self, cells: Ids) -> Vectors:
        """The centroids of cells, float32 (n, d)."""
        return self.centroids[cells]

    def middle(self) -> Vectors:
        """The mean centroid."""
        return self.centroids.mean(axis=0, dtype=np.float64).astype(np.float32)

    def reach(self) -> float:
        """The largest squared distance of a centroid from the middle."""
        away = self.centroids.astype(np.float64) - self.middle()
        return float(np.einsum("ij,ij->i", away, away).max())

    def engine(self, metric: str) -> dict[str, Any]:
        """The centroids with what an exact search of them needs."""
        scan = _core.scan.ExactScan(self.centroids.shape[1], metric, True)
        scan.append(self.centroids)
        return {"centroids": self.centroids, "multi": False, "coarse_scan": scan}
