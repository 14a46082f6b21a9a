"""What every coarse partition answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.state import JSON, Arrays


class Coarse(Protocol):
    """A partition of space into cells, each with a centroid."""

    kind: ClassVar[str]
    # Whether a search stops by rows met rather than by cells: many small cells, most of them empty.
    counts_rows: ClassVar[bool]
    n_cells: int
    # How many centroids are learnt, of either half where cells are pairs.
    n_centroids: int

    @property
    def dim(self) -> int | None:
        """The dimension, once it is known."""
        ...

    def fit(self, x: Vectors) -> Any:
        """Learn the cells from vectors (n, d)."""
        ...

    def assign(self, x: Vectors) -> Ids:
        """The cell of each vector, int64 (n,)."""
        ...

    def centroids_of(self, cells: Ids) -> Vectors:
        """The centroids of cells, float32 (n, d)."""
        ...

    def middle(self) -> Vectors:
        """The mean of all centroids, float32 (d,)."""
        ...

    def reach(self) -> float:
        """The largest squared distance of a centroid from the middle."""
        ...

    def engine(self, metric: str) -> dict[str, Any]:
        """What the compiled search is told: centroids, multi, coarse_scan."""
        ...

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        ...

    def arrays(self) -> Arrays:
        """What was learnt."""
        ...

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """A partition from its parts."""
        ...
