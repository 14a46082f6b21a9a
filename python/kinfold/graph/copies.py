"""Copies in a graph: one node while neighbours are looked for, joined with each other and with the neighbours after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors


def join_copies(
    ids: NDArray[np.integer], weights: Vectors, first: Ids, own: Vectors, k: int
) -> tuple[Ids, NDArray[np.int32], Vectors]:
    """Compressed rows of the graph of all items, from neighbours of the distinct ones.

    ids (m, width), -1 past the end; weights (m, width) : neighbours among the m distinct items, in their order
    first : int64 (n,)    the first copy of each item, itself for the m distinct ones
    own : float32 (m,)    what copies of an item weigh for each other
    k : copies that a copy is joined with, at most

    Of up to k + 1 copies each is joined with each, of more each with its place in a tree: all hang together, and no row
    is longer for it than k. A copy has the neighbours of its item, one copy of each, in turn: the entries are at most
    those of n lists.
    """
    n, (m, width) = len(first), ids.shape
    place = np.cumsum(first == np.arange(n))[first] - 1
    order = np.argsort(place, kind="stable")
    begin = np.searchsorted(place[order], np.arange(m))
    sizes = np.bincount(place, minlength=m)
    number = np.empty(n, np.int64)
    number[order] = np.arange(n) - begin[place[order]]

    theirs = ids[place].astype(np.int64)
    there = theirs >= 0
    theirs[there] = order[
        (begin[theirs] + np.broadcast_to(number[:, None], theirs.shape) % sizes[theirs])[there]
    ]
    together = sizes[place] <= k + 1
    count = np.where(together, number, np.minimum(number, 1))
    item = np.repeat(np.arange(n), count)
    at = np.arange(len(item)) - np.repeat(np.cumsum(count) - count, count)
    # Children 1 to k of copy 0, then k - 1 of each.
    parent = np.where(number <= k, 0, 1 + (number - k - 1) // max(k - 1, 1))
    copy = np.where(together[item], at, parent[item])

    lists = np.full((n, width + int(count.max(initial=0))), -1, np.int64)
    values = np.zeros(lists.shape, np.float32)
    lists[:, :width], values[:, :width] = theirs, np.where(there, weights[place], 0)
    lists[item, width + at] = order[begin[place[item]] + copy]
    values[item, width + at] = own[place[item]]
    joined: tuple[Ids, NDArray[np.int32], Vectors] = _core.graph.symmetrize(
        lists, values, lists.shape[1], False
    )
    return joined
