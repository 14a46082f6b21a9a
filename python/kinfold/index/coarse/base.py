"""What every coarse partition answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.declared import Declared
from kinfold.base.parameters import Count, Flag
from kinfold.quantize.kmeans import KMeans

if TYPE_CHECKING:
    from typing_extensions import Self


class Coarse(Declared, ABC):
    """A partition of space into cells, each with a centroid."""

    kind: ClassVar[str]
    # Whether a search stops by rows met rather than by cells: many small cells, most of them empty.
    counts_rows: ClassVar[bool] = False

    @property
    @abstractmethod
    def n_cells(self) -> int:
        """How many cells there are."""

    @property
    @abstractmethod
    def n_centroids(self) -> int:
        """How many centroids are learnt, of either half where cells are pairs."""

    @property
    @abstractmethod
    def dim(self) -> int | None:
        """The dimension, once it is known."""

    @abstractmethod
    def fit(self, x: Vectors) -> Self:
        """Learn the cells from vectors (n, d)."""

    @abstractmethod
    def assign(self, x: Vectors) -> Ids:
        """The cell of each vector, int64 (n,)."""

    @abstractmethod
    def centroids_of(self, cells: Ids) -> Vectors:
        """The centroids of cells, float32 (n, d)."""

    @abstractmethod
    def middle(self) -> Vectors:
        """The mean of all centroids, float32 (d,)."""

    @abstractmethod
    def reach(self) -> float:
        """The largest squared distance of a centroid from the middle."""

    @abstractmethod
    def engine(self, metric: str) -> dict[str, Any]:
        """What the compiled search is told: centroids, multi, coarse_scan."""


class LearntCells(Coarse):
    """Cells around centroids that k-means learns."""

    k = Count(most=1 << 24)
    iterations = Count(least=0)
    sample = Count()
    seed = Count(least=0)
    verbose = Flag().unsaved()

    def _set(self, k: int, iterations: int, sample: int, seed: int, verbose: bool) -> None:
        self.k, self.iterations, self.sample = k, iterations, sample
        self.seed, self.verbose = seed, verbose

    @property
    def n_centroids(self) -> int:
        """How many centroids are learnt, of either half where cells are pairs."""
        return self.k

    def _means(self, x: Vectors, *, seed: int = 0, spherical: bool = False) -> Vectors:
        """k centroids of vectors."""
        means = KMeans(
            self.k, iterations=self.iterations, sample=self.sample, spherical=spherical,
            seed=self.seed + seed, verbose=self.verbose,
        )  # fmt: skip
        return means.fit(x).centroids
