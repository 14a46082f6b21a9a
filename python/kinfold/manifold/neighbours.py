"""Graphs of Euclidean distances between near points: what geodesics and eigenmaps go along."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors
from kinfold.base.metrics import as_metric
from kinfold.base.neighbours import exact_neighbours, self_neighbours
from kinfold.base.warn import warn_caller
from kinfold.index.base import unit_rows
from kinfold.quantize.kmeans import lift

METRICS = ("l2", "cosine")


class Lists(NamedTuple):
    """The k nearest other points of each. ids : int64 (n, k). lengths : float32 (n, k), Euclidean, rising."""

    ids: Ids
    lengths: Vectors


class DistanceGraph(NamedTuple):
    """Undirected, in compressed rows. starts : int64 (n + 1,). neighbours : int32. lengths : float32, >= 0."""

    starts: Ids
    neighbours: NDArray[np.int32]
    lengths: Vectors

    def rows(self) -> Ids:
        """The row of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def by_metric(vectors: Vectors, metric: str) -> Vectors:
    """Vectors between which Euclidean distance is meant: of length one for "cosine"."""
    return unit_rows(vectors) if as_metric(metric) == "cosine" else vectors


def nearest_others(vectors: Vectors, k: int) -> Lists:
    """The min(k, n - 1) nearest other rows of each row."""
    power = lift(vectors)
    found = self_neighbours(_times(vectors, power), min(k, len(vectors) - 1))
    return Lists(found.ids, _times(np.sqrt(found.distances), -power))


def nearest_of(queries: Vectors, vectors: Vectors, k: int) -> Lists:
    """The min(k, n) nearest of the vectors to each query."""
    power = lift(queries, vectors)
    found = exact_neighbours(_times(queries, power), _times(vectors, power), min(k, len(vectors)))
    return Lists(found.ids, _times(np.sqrt(found.distances), -power))


def _times(x: Vectors, power: int) -> Vectors:
    return np.ldexp(x, power) if power else x


def distance_graph(lists: Lists) -> DistanceGraph:
    """An edge wherever either of two points is in the other's list."""
    # Points in one place are joined too: an edge of the least positive length, for the while.
    least = np.finfo(np.float32).smallest_subnormal
    lengths = np.maximum(lists.lengths, least)
    graph = DistanceGraph(*_core.graph.symmetrize(lists.ids, lengths, lengths.shape[1], False))
    graph.lengths[graph.lengths == least] = 0
    return graph


def components(graph: DistanceGraph) -> Ids:
    """The least node that each node is connected with, int64 (n,)."""
    labels = np.arange(len(graph.starts) - 1)
    rows = graph.rows()
    while True:
        least = labels.copy()
        np.minimum.at(least, rows, labels[graph.neighbours])
        while (least[least] != least).any():
            least = least[least]
        if (least == labels).all():
            return labels
        labels = least


def connected(vectors: Vectors, graph: DistanceGraph, *, warn: bool = True) -> DistanceGraph:
    """The graph with the shortest edge between any two of its components; a warning if there are several."""
    labels = components(graph)
    names = np.unique(labels)
    if len(names) == 1:
        return graph
    if warn:
        warn_caller(
            f"the neighbour graph falls into {len(names)} parts, which are joined by their shortest distances: "
            "more neighbours may be wanted"
        )
    # Of each part the nearest point to all points of the parts before; of these, the nearest for each such part.
    order = np.argsort(labels, kind="stable")
    bounds = np.append(np.flatnonzero(np.diff(labels[order], prepend=-1)), len(order))
    ends, lengths = [], []
    for first, last in pairwise(bounds[1:]):
        part, before = order[first:last], order[:first]
        near = nearest_of(vectors[before], vectors[part], 1)
        own, length = part[near.ids[:, 0]], near.lengths[:, 0]
        best = np.lexsort((before, own, length, labels[before]))
        best = best[np.diff(labels[before][best], prepend=-1) != 0]
        ends.append(np.stack([own[best], before[best]]))
        lengths.append(length[best])
    a, b = np.concatenate(ends, axis=1)
    between = np.concatenate(lengths)
    rows = np.concatenate([graph.rows(), a, b])
    columns = np.concatenate([graph.neighbours, b, a])
    order = np.lexsort((columns, rows))
    starts = np.zeros(len(vectors) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(vectors)), out=starts[1:])
    values = np.concatenate([graph.lengths, between, between])[order]
    return DistanceGraph(starts, columns[order].astype(np.int32), values.astype(np.float32))


def geodesics(graph: DistanceGraph, sources: Ids) -> Vectors:
    """Lengths of the shortest paths from nodes to all nodes, float32 (m, n); infinity where there is none.

    Dijkstra 1959; the same bits for any number of threads.
    """
    ids = np.ascontiguousarray(sources, np.int32)
    zeros = np.zeros(len(ids), np.float32)
    lengths: Vectors = _core.manifold.geodesics(*graph, np.arange(len(ids) + 1), ids, zeros)
    return lengths


def geodesics_through(graph: DistanceGraph, lists: Lists) -> Vectors:
    """Lengths of the shortest paths from points outside, which begin at their neighbours, float32 (q, n)."""
    count, k = lists.ids.shape
    starts = np.arange(count + 1) * k
    ids = lists.ids.reshape(-1).astype(np.int32)
    lengths: Vectors = _core.manifold.geodesics(*graph, starts, ids, lists.lengths.reshape(-1))
    return lengths
