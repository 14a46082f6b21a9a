"""Hard negatives that are not all of one class."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.learn.mine.batch import Batch, triplets
from kinfold.learn.mine.found import Triplets


class OnePerClass:
    """Each anchor and positive with the nearest negatives, of each class one at most.

    most : negatives of each anchor
    Radenovic, Tolias & Chum, ECCV 2016, section 4.1: near-duplicates of one hard negative teach nothing more.
    """

    def __init__(self, most: int = 5) -> None:
        self.most = as_count(most, "most")

    def __call__(self, descriptors: Any, labels: Any) -> Triplets:
        """Vectors (n, d) and classes (n,) to triplets of rows."""
        batch = Batch.of(descriptors, labels)
        anchor, positive = batch.pairs()
        chosen = np.zeros_like(batch.negative)
        for row, order in enumerate(batch.order):
            others = order[batch.negative[row, order]]
            first = np.sort(np.unique(batch.labels[others], return_index=True)[1])
            chosen[row, others[first[: self.most]]] = True
        which, negative = np.nonzero(chosen[anchor])
        return triplets(anchor[which], positive[which], negative)
