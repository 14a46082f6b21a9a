"""Eigenvalue allocation: which principal directions share a subspace of a product quantizer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import as_array, as_count


def subspace_sizes(d: int, m: int) -> list[int]:
    """Dimensions of the m subspaces of d dimensions: ceil(d / m) each, as far as they go."""
    size = -(-d // m)
    return [max(0, min(size, d - j * size)) for j in range(m)]


def allocate(eigenvalues: ArrayLike, m: int) -> list[NDArray[np.intp]]:
    """Positions of eigenvalues for each of m subspaces, so that the subspaces' products are balanced.

    eigenvalues : (d,), at least 0, in any order
    m : subspaces; each takes ceil(d / m) dimensions as far as they go
    The largest first, each to the subspace with room whose product is smallest, ties to the first: Ge, He, Ke &
    Sun, PAMI 2014, section 3.2. Values are scaled by the smallest above zero, so that none lowers a product.
    """
    values = as_array(eigenvalues, "eigenvalues").astype(np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("eigenvalues: expected finite numbers of at least 0, at least one")
    m = as_count(m, "m", most=len(values))
    positive = values[values > 0]
    scaled = (
        np.log(np.maximum(values / positive.min(), 1.0)) if len(positive) else np.zeros(len(values))
    )
    room = subspace_sizes(len(values), m)
    logs = [0.0] * m
    buckets: list[list[int]] = [[] for _ in range(m)]
    for at in np.argsort(-values, kind="stable"):
        j = min((j for j in range(m) if len(buckets[j]) < room[j]), key=lambda j: (logs[j], j))
        buckets[j].append(int(at))
        logs[j] += float(scaled[at])
    return [np.array(bucket, np.intp) for bucket in buckets]
