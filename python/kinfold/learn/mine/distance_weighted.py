"""Negatives drawn so that all distances come equally often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_number
from kinfold.base.extras import require
from kinfold.learn.mine.batch import Batch, triplets
from kinfold.learn.mine.descriptors import as_mined
from kinfold.learn.mine.found import Triplets

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class DistanceWeighted:
    """Each anchor and positive with one negative, drawn with probability inverse to how often its distance occurs.

    On the unit sphere of d dimensions distances x have density x^(d-2) (1 - x^2/4)^((d-3)/2): most points are at
    sqrt(2), where drawing evenly would take them.

    nearest : smaller distances count as this one, lest noise decide
    farthest : negatives from here on are not drawn: they have no loss
    Wu, Manmatha, Smola & Krahenbuhl, ICCV 2017, section 4.1. Descriptors are taken to have length one.
    """

    def __init__(self, *, nearest: float = 0.5, farthest: float = 1.4) -> None:
        self.nearest = as_number(nearest, "nearest", least=0, open=True)
        self.farthest = as_number(farthest, "farthest", least=self.nearest, most=2)

    def __call__(self, descriptors: Any, labels: Any) -> Triplets:
        """Vectors (n, d) and classes (n,) to triplets of rows."""
        vectors = as_mined(descriptors)
        batch = Batch.of(vectors, labels)
        anchor, positive = batch.pairs()
        weights = self.weights(batch.distances, vectors.shape[1], batch.negative)
        total = weights.cumsum(1)[anchor]
        some = total[:, -1] > 0
        drawn = torch.rand(len(anchor), dtype=torch.float64).numpy() * total[:, -1]
        negative = (total > drawn[:, None]).argmax(1)
        return triplets(anchor[some], positive[some], negative[some])

    def weights(
        self, distances: NDArray[np.float64], dim: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """How likely those that are allowed are drawn, relative to the likeliest of their row: (n, m)."""
        x = np.clip(distances, self.nearest, 2 - 1e-6)
        rarity = -(dim - 2) * np.log(x) - (dim - 3) / 2 * np.log1p(-(x**2) / 4)
        rarity[~allowed | (distances >= self.farthest)] = -np.inf
        top = rarity.max(1, keepdims=True)
        return np.exp(rarity - np.where(np.isfinite(top), top, 0))
