"""What the estimators of photos share: photos are lists of descriptors, and learning takes all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinfold.base.arrays import Vectors
from kinfold.base.estimator import Transformer


class Aggregation(Transformer):
    """An estimator whose `fit` takes descriptors (n, d) or photos, and whose `transform` takes photos."""

    def transform(self, photos: Sequence[Any]) -> Vectors:
        """One vector for each photo."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
