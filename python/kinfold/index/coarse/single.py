"""One cell: an exhaustive scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take_param


class SingleCell(Restorable):
    """The whole space; its centroid is the origin."""

    kind: ClassVar[str] = "index.SingleCell"
    counts_rows: ClassVar[bool] = False
    n_cells = n_centroids = 1

    def __init__(self, dim: int) -> None:
        self.dim = as_count(dim, "dim", most=32768)

    def __repr__(self) -> str:
        return "SingleCell()"

    def fit(self, x: Vectors) -> SingleCell:
        """Nothing to learn."""
        return self

    def assign(self, x: Vectors) -> Ids:
        """Zero for all."""
        return np.zeros(len(x), np.int64)

    def centroids_of(self, cells: Ids) -> Vectors:
        """The origin for all."""
        return np.zeros((len(cells), self.dim), np.float32)

    def middle(self) -> Vectors:
        """The origin."""
        return np.zeros(self.dim, np.float32)

    def reach(self) -> float:
        """Zero."""
        return 0.0

    def engine(self, metric: str) -> dict[str, Any]:
        """Nothing: no centroids."""
        return {"centroids": None, "multi": False, "coarse_scan": None}

    def params(self) -> dict[str, JSON]:
        """The dimension."""
        return {"dim": self.dim}

    def arrays(self) -> Arrays:
        """None."""
        return {}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> SingleCell:
        """The one cell again."""
        check_only(params, {"dim"}, "parameters")
        check_only(arrays, set(), "arrays")
        return cls(take_param(params, "dim", int))
