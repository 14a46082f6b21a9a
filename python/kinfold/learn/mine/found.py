"""What a miner finds: pairs or triplets of rows, and each told as the other."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_ids, as_ndarray

Flags = NDArray[np.bool_]


class Pairs(NamedTuple):
    """Pairs of rows. first, second : int64 (n,); similar : bool (n,)."""

    first: Ids
    second: Ids
    similar: Flags


class Triplets(NamedTuple):
    """Rows, each with one that is similar and one that is not: int64 (n,)."""

    anchor: Ids
    positive: Ids
    negative: Ids


def as_pairs(found: Any) -> Pairs:
    """Pairs as they are; of triplets each similar and each dissimilar pair once, in order.

    found : Pairs, Triplets, or tuples of rows as pytorch-metric-learning's miners give them: (anchor, positive,
        negative), or (anchor, positive, anchor, negative)
    """
    known = _known(found)
    if isinstance(known, Pairs):
        return known
    near = _distinct(known.anchor, known.positive)
    far = _distinct(known.anchor, known.negative)
    both = np.concatenate([near, far])
    similar = np.arange(len(both)) < len(near)
    return Pairs(np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]), similar)


def as_triplets(found: Any) -> Triplets:
    """Triplets as they are; of pairs each similar pair with each dissimilar one that has the same first row."""
    known = _known(found)
    if isinstance(known, Triplets):
        return known
    near, far = np.flatnonzero(known.similar), np.flatnonzero(~known.similar)
    a, b = np.nonzero(known.first[near][:, None] == known.first[far])
    return Triplets(known.first[near[a]], known.second[near[a]], known.second[far[b]])


def _known(found: Any) -> Pairs | Triplets:
    if isinstance(found, Pairs):
        first, second = (as_ids(rows, "found") for rows in found[:2])
        similar = as_ndarray(found.similar, "found").astype(bool)
        _same_length(first, second, similar)
        return Pairs(first, second, similar)
    try:
        rows = [as_ids(part, "found") for part in cast("tuple[Any, ...]", found)]
    except TypeError:
        rows = []
    if len(rows) == 3:
        _same_length(*rows)
        return Triplets(*rows)
    if len(rows) == 4:
        _same_length(*rows[:2])
        _same_length(*rows[2:])
        similar = np.arange(len(rows[0]) + len(rows[2])) < len(rows[0])
        return Pairs(np.concatenate(rows[::2]), np.concatenate(rows[1::2]), similar)
    raise ValueError(f"found: expected Pairs or Triplets, got {type(found).__name__}")


def _same_length(*parts: NDArray[Any]) -> None:
    if len({part.shape for part in parts}) > 1:
        raise ValueError(f"found: expected equal lengths, got {[len(part) for part in parts]}")


def _distinct(a: Ids, b: Ids) -> Ids:
    return np.unique(np.stack([a, b], 1), axis=0).reshape(-1, 2)
