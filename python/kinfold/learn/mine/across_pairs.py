"""Triplets of pairs that are known: each pair's negatives from the other pairs of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.learn.mine.batch import ranked, triplets
from kinfold.learn.mine.descriptors import as_mined
from kinfold.learn.mine.found import Triplets

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class AcrossPairs:
    """Each patch with the other of its pair, and with k patches of pairs that show something else.

    k : negatives of each patch; fewer where there are no more
    hardest : those of largest cosine; else any, by torch's generator
    Wang & Gupta, ICCV 2015, section 4.2: random ones first, then the four hardest of a batch. Both patches of a pair
    are anchors.
    """

    def __init__(self, k: int = 4, *, hardest: bool = True) -> None:
        self.k, self.hardest = as_count(k, "k"), bool(hardest)

    def __call__(self, descriptors: Any, others: Any) -> Triplets:
        """Vectors (2n, d), whose rows i and n + i are a pair, to triplets of rows.

        others : bool (n, n), whether pairs show different things
        """
        vectors = as_mined(descriptors)
        n = len(vectors) // 2
        allowed = np.asarray(others, bool)
        if len(vectors) != 2 * n or allowed.shape != (n, n):
            raise ValueError(
                f"others: expected flags of {n} pairs for {len(vectors)} vectors, got {tuple(allowed.shape)}"
            )
        # Of float64: random numbers of float32 meet now and then.
        order = (
            ranked(vectors, "cosine")[1]
            if self.hardest
            else torch.rand(2 * n, 2 * n, dtype=torch.float64).argsort(1, descending=True).numpy()
        )
        of_others = np.take_along_axis(np.tile(allowed, (2, 2)), order, axis=1)
        first = of_others & (of_others.cumsum(axis=1) <= self.k)
        anchor, place = np.nonzero(first)
        return triplets(anchor, (anchor + n) % (2 * n), order[anchor, place])
