"""The hardest triplet of each anchor."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.learn.mine.batch import Batch, triplets
from kinfold.learn.mine.found import Triplets


class Hardest:
    """Each anchor with the farthest row of its class and the nearest of another.

    Hermans, Beyer & Leibe, arXiv 1703.07737, eq. 5.
    """

    def __call__(self, descriptors: Any, labels: Any) -> Triplets:
        """Vectors (n, d) and classes (n,) to triplets of rows."""
        batch = Batch.of(descriptors, labels)
        rows = np.arange(len(batch.labels))
        positive, some = batch.farthest(rows, batch.positive)
        negative, others = batch.nearest(rows, batch.negative)
        valid = some & others
        return triplets(rows[valid], positive[valid], negative[valid])
