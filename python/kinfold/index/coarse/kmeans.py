"""Cells around the centroids of k-means: the partition of an inverted index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_count, as_vectors, owned
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take, take_param
from kinfold.quantize.kmeans import KMeans, assign


class KMeansCells(Restorable):
    """The cells of k centroids; queries visit the nearest ones first.

    k : how many
    iterations, sample, seed, verbose : as for KMeans; sample counts training vectors a cell
    spherical : centroids of length one, for the cosine
    Sivic & Zisserman, ICCV 2003; Jegou, Douze & Schmid, PAMI 2011.
    """

    kind: ClassVar[str] = "index.KMeansCells"
    counts_rows: ClassVar[bool] = False

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
        self.n_cells = self.n_centroids = as_count(k, "k", most=1 << 24)
        self.iterations = as_count(iterations, "iterations", least=0)
        self.sample = as_count(sample, "sample")
        self.spherical = bool(spherical)
        self.seed = as_count(seed, "seed", least=0)
        self.verbose = bool(verbose)
        self._centroids: Vectors | None = None

    @classmethod
    def of(cls, centroids: Vectors) -> KMeansCells:
        """Cells of centroids (k, d) that were learnt elsewhere."""
        given = as_vectors(centroids, "centroids")
        cells = cls(len(given))
        cells._centroids = owned(given, centroids)
        return cells

    def __repr__(self) -> str:
        return f"KMeansCells({self.n_cells})"

    @property
    def dim(self) -> int | None:
        """The dimension, once it is known."""
        return None if self._centroids is None else self._centroids.shape[1]

    @property
    def centroids(self) -> Vectors:
        """float32 (k, d)."""
        if self._centroids is None:
            raise NotTrainedError("KMeansCells: call train first")
        return self._centroids

    def fit(self, x: Vectors) -> KMeansCells:
        """Learn the centroids from at least k vectors (n, d)."""
        means = KMeans(
            self.n_cells,
            iterations=self.iterations,
            sample=self.sample,
            spherical=self.spherical,
            seed=self.seed,
            verbose=self.verbose,
        )
        self._centroids = means.fit(x).centroids
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

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "k": self.n_cells, "iterations": self.iterations, "sample": self.sample,
            "spherical": self.spherical, "seed": self.seed,
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """The centroids."""
        return {"centroids": self.centroids}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> KMeansCells:
        """Cells from their centroids."""
        check_only(params, {"k", "iterations", "sample", "spherical", "seed"}, "parameters")
        check_only(arrays, {"centroids"}, "arrays")
        cells = cls(
            take_param(params, "k", int),
            iterations=take_param(params, "iterations", int),
            sample=take_param(params, "sample", int),
            spherical=take_param(params, "spherical", bool),
            seed=take_param(params, "seed", int),
        )
        centroids = take(arrays, "centroids", np.float32, (cells.n_cells, None))
        if not centroids.size or not np.isfinite(centroids).all():
            raise FileFormatError("array 'centroids': expected finite numbers")
        cells._centroids = np.ascontiguousarray(centroids)
        return cells
