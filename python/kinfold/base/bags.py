"""Images as sets of descriptors, laid end to end."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, NamedTuple

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_ndarray, as_vectors


class Bags(NamedTuple):
    """vectors float32 (t, d) of all images; owner int64 (t,), the image that each is of; n images."""

    vectors: Vectors
    owner: Ids
    n: int


def as_bags(X: Any, *, dim: int | None = None) -> Bags:
    """Images from a list of arrays (n_i, d), n_i from 0 on.

    dim : the dimension that is expected; that of the first image with descriptors if not given
    Raises ValueError for no image, no descriptor at all where dim is not given, or several dimensions.
    """
    if not isinstance(X, Sized) or not hasattr(X, "__getitem__") or isinstance(X, (str, bytes)):
        raise ValueError(f"X: expected a list of arrays (n_i, d), got {type(X).__name__}")
    bags: list[Vectors | None] = []
    for i in range(len(X)):
        given = as_ndarray(X[i], f"X[{i}]")
        if given.size == 0:
            bags.append(None)
            continue
        bag = as_vectors(given, f"X[{i}]", dim=dim)
        bags.append(bag)
        dim = bag.shape[1]
    if not bags:
        raise ValueError("X: expected at least one image")
    if dim is None:
        raise ValueError("X: expected an image with descriptors, got none")
    parts = [np.empty((0, dim), np.float32) if bag is None else bag for bag in bags]
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int64)
    return Bags(np.concatenate(parts), owner, len(parts))


def are_photos(x: Any) -> bool:
    """Whether these are arrays (n_i, d), one a photo, not descriptors (n, d)."""
    several = isinstance(x, (list, tuple)) or (isinstance(x, np.ndarray) and x.dtype.kind == "O")
    if not several:
        return as_ndarray(x, "x").ndim == 3
    return any(as_ndarray(photo, "x").ndim == 2 for photo in x)


def as_descriptors(x: Any, name: str) -> Vectors:
    """Local descriptors (n, d); those of photos, arrays (n_i, d), are put together."""
    return as_bags(list(x)).vectors if are_photos(x) else as_vectors(x, name)
