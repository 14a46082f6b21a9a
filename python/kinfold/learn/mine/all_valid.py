"""Every triplet that labels allow."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.learn.mine.batch import Batch, triplets
from kinfold.learn.mine.found import Triplets


class AllValid:
    """Every anchor with every other row of its class and every row of other classes."""

    def __call__(self, descriptors: Any, labels: Any) -> Triplets:
        """Vectors (n, d) and classes (n,) to triplets of rows."""
        batch = Batch.of(descriptors, labels)
        anchor, positive = batch.pairs()
        which, negative = np.nonzero(batch.negative[anchor])
        return triplets(anchor[which], positive[which], negative)
