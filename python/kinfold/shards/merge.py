"""Answers of several shards as one: by distance, ties by the smaller id, as each of them is ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors


class Merged(NamedTuple):
    """The best of all: distances float32 (n, k), ids int64 (n, k), and the answer that each comes from (n, k)."""

    distances: Vectors
    ids: Ids
    owners: NDArray[np.intp]


def order_of(distances: Vectors, ids: Ids, *, ascends: bool) -> NDArray[np.intp]:
    """The places of each row of answers (n, m), best first; what is missing (id -1) last."""
    # As unsigned numbers, -1 is the largest.
    return np.lexsort((ids.view(np.uint64), distances if ascends else -distances), axis=-1)


def best_of(answers: Sequence[tuple[Vectors, Ids]], k: int, *, ascends: bool) -> Merged:
    """The k best of several answers (n, m) to the same queries; there are k in all of them together, or fill."""
    distances = np.concatenate([found for found, _ in answers], axis=1)
    ids = np.concatenate([found for _, found in answers], axis=1)
    owner = np.repeat(np.arange(len(answers)), [found.shape[1] for _, found in answers])
    order = order_of(distances, ids, ascends=ascends)[:, :k]
    return Merged(
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(ids, order, axis=1),
        owner[order],
    )


def all_of(
    answers: Sequence[tuple[Ids, Vectors, Ids]], *, ascends: bool
) -> tuple[Ids, Vectors, Ids]:
    """Lists of several answers to the same queries as one list each: starts, distances, ids."""
    counts = [np.diff(starts) for starts, _, _ in answers]
    query = np.concatenate([np.repeat(np.arange(len(own)), own) for own in counts])
    distances = np.concatenate([found for _, found, _ in answers])
    ids = np.concatenate([found for _, _, found in answers])
    order = np.lexsort((ids, distances if ascends else -distances, query))
    starts = np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))]).astype(np.int64)
    return starts, distances[order], ids[order]


def sum_of(stats: Sequence[Any]) -> Any:
    """What several searches counted, added up: numbers, or numbers by name."""
    if isinstance(stats[0], dict):
        return {name: sum(one[name] for one in stats) for name in stats[0]}
    return sum(stats)
