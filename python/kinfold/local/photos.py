"""What the estimators of photos share: photos are lists of descriptors, and learning takes all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfold.base.arrays import Vectors, as_vectors
from kinfold.base.estimator import Transformer
from kinfold.classify.bags import as_bags


def are_photos(x: Any) -> bool:
    """Whether these are arrays (n_i, d), one a photo, not descriptors (n, d)."""
    several = isinstance(x, (list, tuple)) or (isinstance(x, np.ndarray) and x.dtype.kind == "O")
    return np.ndim(x) == 3 if not several else any(np.ndim(photo) == 2 for photo in x)


def as_descriptors(x: Any, name: str) -> Vectors:
    """Local descriptors (n, d); those of photos, arrays (n_i, d), are put together."""
    return as_bags(list(x)).vectors if are_photos(x) else as_vectors(x, name)


class Aggregation(Transformer):
    """An estimator whose `fit` takes descriptors (n, d) or photos, and whose `transform` takes photos."""

    def transform(self, photos: Sequence[Any]) -> Vectors:
        """One vector for each photo."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
