"""One cell: an exhaustive scan."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.parameters import Count
from kinfold.index.coarse.base import Coarse


class SingleCell(Coarse):
    """The whole space; its centroid is the origin."""

    kind: ClassVar[str] = "index.SingleCell"
    n_cells = n_centroids = 1

    dim = Count(most=32768)

    def __init__(self, dim: int) -> None:
        self.dim = dim

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
