"""The photos of a gallery as its engines hold them, compared by all engines together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.neighbours import exact_neighbours
from kinfold.base.ranking import Neighbours
from kinfold.gallery.engines.base import Lists, described
from kinfold.gallery.model import Model
from kinfold.gallery.query import Query
from kinfold.graph.knn import KNNGraph
from kinfold.graph.reach import LENGTHS, suited_graph
from kinfold.index.flat import FlatIndex

# Of each engine so many times more neighbours are looked at than are kept, so that their sum finds the best of all.
_CANDIDATES = 4


class Fused:
    """Similarity is the sum over engines of share * similarity, that of inverted files made comparable with cosines.

    index : the joined vectors of those engines that give any, or None
    lists : by engine, the inverted files, in the order of the index
    """

    def __init__(self, model: Model, index: FlatIndex | None, lists: Mapping[str, Lists]) -> None:
        self.model, self.index, self.lists = model, index, dict(lists)
        self.ids: Ids = np.asarray(self.indexes[0].ids)

    @property
    def indexes(self) -> list[Any]:
        """Index and inverted files, whichever there are."""
        return [part for part in (self.index, *self.lists.values()) if part is not None]

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, query: Query, depth: int) -> Neighbours:
        """The ``depth`` most similar photos of a query, ties by ascending id."""
        if not self.lists and self.index is not None:
            found: Neighbours = self.index.search(np.asarray(query.vector), depth)
            return found
        total = self._total(query)
        best = np.lexsort((self.ids, -total))[:depth]
        return Neighbours(total[best], self.ids[best])

    def _total(self, query: Query) -> Vectors:
        """The similarity of a query to each photo."""
        total = np.zeros(len(self), np.float32)
        local = [described(query.features)]
        for name, lists in self.lists.items():
            total += self._weighed(name, lists.scores(local)[0])
        if self.index is not None:
            similarities, ids = self.index.search(np.asarray(query.vector), len(self))
            total[np.argsort(self.ids, kind="stable")] += similarities[np.argsort(ids)]
        return total

    def _weighed(self, name: str, similarities: Vectors) -> Vectors:
        share = np.float32(self.model.shares[name])
        return share * self.model.lists[name].comparable(similarities)

    def graph(
        self, neighbours: int | str, first: Ids | None = None, *, gamma: float = 3.0
    ) -> KNNGraph:
        """The graph of the most similar photos; its nodes are positions in ``ids``.

        neighbours : length of the lists, or "auto", see ``graph.reach.suited_graph``
        first : int64 (n,)    the position of the first copy of each photo: copies are one photo while neighbours are
            looked for, and are joined after
        """
        if first is not None and (first != np.arange(len(self))).any():
            graph = self._only(first == np.arange(len(self))).graph(neighbours, gamma=gamma)
            return graph.with_copies(first, np.ones(len(graph), np.float32))
        if isinstance(neighbours, str):
            return suited_graph(*_known(self.neighbours(max(LENGTHS))), gamma=gamma)
        if not self.lists and self.index is not None:
            return KNNGraph.build(self.index.reconstruct(self.ids), neighbours, gamma=gamma)
        found = _known(self.neighbours(neighbours))
        return KNNGraph.from_neighbours(*found, k=neighbours, gamma=gamma)

    def _only(self, kept: NDArray[np.bool_]) -> Fused:
        """Some of the photos; these stay as they are."""
        index, lists = None, {}
        if self.index is not None:
            index = FlatIndex(self.index.dim, metric="ip")
            index.add(self.index.reconstruct(self.ids[kept]), ids=self.ids[kept])
        for name, inverted in self.lists.items():
            lists[name] = type(inverted).from_state(inverted.params(), inverted.arrays())
            lists[name].remove(self.ids[~kept])
        return Fused(self.model, index, lists)

    def neighbours(self, k: int) -> Neighbours:
        """The k most similar other photos of each.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1. An inverted file counts for those pairs that are among the nearest by itself: of others it knows little.
        """
        n, wide = len(self), min(_CANDIDATES * k, max(len(self) - 1, 1))
        rows, columns, values = [], [], []

        def propose(found: Neighbours, weighed: Any) -> None:
            there = (found.ids >= 0) & (found.ids != np.arange(n)[:, None])
            rows.append(np.nonzero(there)[0])
            columns.append(found.ids[there])
            values.append(weighed(found.distances[there]))

        for name, lists in self.lists.items():
            propose(lists.neighbours(wide), lambda found, name=name: self._weighed(name, found))
        vectors = None if self.index is None else self.index.reconstruct(self.ids)
        if vectors is not None:
            near = exact_neighbours(vectors, vectors, min(wide + 1, n), metric="ip")
            propose(near, np.zeros_like)
        pairs, place = np.unique(
            np.concatenate(rows) * n + np.concatenate(columns), return_inverse=True
        )
        total = np.bincount(place.reshape(-1), weights=np.concatenate(values)).astype(np.float32)
        row, column = np.divmod(pairs, n)
        if vectors is not None:
            total += np.einsum("ij,ij->i", vectors[row], vectors[column])
        return _best(row, column, total, n, k)


def _best(row: Ids, column: Ids, total: Vectors, n: int, k: int) -> Neighbours:
    """The k largest of each row."""
    order = np.lexsort((column, -total, row))
    starts = np.searchsorted(row[order], np.arange(n))
    rank = np.arange(len(order)) - starts[row[order]]
    order, rank = order[rank < k], rank[rank < k]
    similarities, ids = np.full((n, k), -np.inf, np.float32), np.full((n, k), -1, np.int64)
    similarities[row[order], rank], ids[row[order], rank] = total[order], column[order]
    return Neighbours(similarities, ids)


def _known(found: Neighbours) -> tuple[Vectors, Ids]:
    """Similarities of at least 0, and positions; 0 and -1 past the end."""
    return np.maximum(np.where(found.ids >= 0, found.distances, 0), 0), found.ids
