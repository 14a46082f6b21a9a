"""The photos of a gallery as its engines hold them, compared by all engines together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.neighbours import exact_neighbours, self_neighbours
from kinfold.base.ranking import Neighbours
from kinfold.gallery.mapped import MappedVectors
from kinfold.gallery.model import Model
from kinfold.gallery.query import Query
from kinfold.gallery.vector_search import SHORTLIST, VectorSearch
from kinfold.graph.knn import KNNGraph
from kinfold.graph.reach import LENGTHS, suited_graph
from kinfold.index.flat import FlatIndex

# Of each engine so many times more neighbours are looked at than are kept, so that their sum finds the best of all.
_CANDIDATES = 4
# So few photos that may answer are all compared: no index need propose some of them.
_COMPARED = 4096
# Pairs of vectors that are compared at once.
_PAIRS = 1 << 17


class Fused:
    """Similarity is the sum over engines of share * similarity, that of inverted files made comparable with cosines.

    index : the joined vectors of those engines that give any, or None; mapped where others search them
    lists : by engine, inverted files and regions, in the order of the index
    nearest : the indexes that propose photos, under the vectors ("search") and under regions ("regionsearch"); where
        there is none, all photos are compared
    """

    def __init__(
        self,
        model: Model,
        index: FlatIndex | MappedVectors | None,
        lists: Mapping[str, Any],
        nearest: Mapping[str, VectorSearch] | None = None,
    ) -> None:
        self.model, self.index, self.lists = model, index, dict(lists)
        self.nearest = dict(nearest or {})
        self.ids: Ids = np.asarray(self.indexes[0].ids)

    @property
    def indexes(self) -> list[Any]:
        """Vectors, inverted files and regions, whichever there are."""
        return [part for part in (self.index, *self.lists.values()) if part is not None]

    def depth(self, least: int = SHORTLIST, top: int | None = None) -> int:
        """How many photos are ranked: all where ``top`` is None, but of an index ``least``."""
        if top is None and not self.nearest:
            return len(self)
        return min(len(self), max(top or 0, least))

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self, query: Query, depth: int, may: Ids | None = None, beside: int = 0
    ) -> Neighbours:
        """The ``depth`` most similar photos of a query, ties by ascending id; of those that an index proposes.

        may : the ids that may answer, ascending; all if not given. Then the ``beside`` most similar of all photos are
            among the answer, too
        Similarities are those of the vectors themselves, whoever proposed a photo.
        """
        nearest = self._scan(query)
        if may is None:
            return nearest(depth, None)
        may = np.intersect1d(may, self.ids)
        found = nearest(min(depth, len(may)), may)
        if not beside:
            return found
        others = nearest(min(beside, len(self)), None)
        barred = ~np.isin(others.ids, may)
        similarities = np.concatenate([found.distances, others.distances[barred]])
        ids = np.concatenate([found.ids, others.ids[barred]])
        order = np.lexsort((ids, -similarities))
        return Neighbours(similarities[order], ids[order])

    def _scan(self, query: Query) -> Callable[[int, Ids | None], Neighbours]:
        """What finds so many of those that may answer, None being all."""
        if not self.nearest and not self.lists and isinstance(self.index, FlatIndex):
            vector, flat = np.asarray(query.vector), self.index
            return lambda depth, may: flat.search(vector, max(depth, 1), filter=may)
        if self.nearest:
            return self._shortlists(query)
        total = self._of_lists(query, self.lists)
        if isinstance(self.index, FlatIndex):
            similarities, ids = self.index.search(np.asarray(query.vector), len(self))
            total[self._order] += similarities[np.argsort(ids)]

        def best(depth: int, may: Ids | None) -> Neighbours:
            rows = np.arange(len(self)) if may is None else self._positions(may)
            first = rows[np.lexsort((self.ids[rows], -total[rows]))[:depth]]
            return Neighbours(total[first], self.ids[first])

        return best

    def _shortlists(self, query: Query) -> Callable[[int, Ids | None], Neighbours]:
        """The best of the photos that the indexes propose, and of as many that the inverted files do."""
        regions = self.model.looks_at_regions
        indexed = self.lists.get("regions") if "regionsearch" in self.nearest else None
        scanned = {name: lists for name, lists in self.lists.items() if lists is not indexed}
        total, asked = self._of_lists(query, scanned), None
        if indexed is not None and regions is not None:
            asked = regions.asked(query.features, query.regions)

        def proposed(depth: int, may: Ids | None) -> Ids:
            if may is not None and len(may) <= max(depth, _COMPARED):
                return may
            near = [np.empty(0, np.int64)]
            if scanned:
                rows = np.arange(len(self)) if may is None else self._positions(may)
                near.append(self.ids[rows[np.argsort(-total[rows], kind="stable")[:depth]]])
            if "search" in self.nearest:
                vector = np.asarray(query.vector)
                near.append(self.nearest["search"].search(vector, depth, filter=may).ids)
            if asked is not None and regions is not None and indexed is not None:
                index = self.nearest["regionsearch"]
                near.append(regions.proposed(indexed, asked, depth, index, may))
            ids = np.unique(np.concatenate(near))
            return ids[ids >= 0]

        def best(depth: int, may: Ids | None) -> Neighbours:
            ids = proposed(depth, may)
            similarities = total[self._positions(ids)]
            if self.index is not None and len(ids):
                vector, vectors = np.asarray(query.vector), self.index.reconstruct(ids)
                found = exact_neighbours(vector[None], vectors, len(ids), metric="ip")
                similarities[found.ids[0]] += found.distances[0]
            if indexed is not None and asked is not None and len(ids):
                matched = indexed.search(asked, len(ids), filter=ids)
                place = np.searchsorted(ids, matched.ids)
                similarities[place] += self.weighed("regions", matched.distances)
            order = np.lexsort((ids, -similarities))[:depth]
            return Neighbours(similarities[order], ids[order])

        return best

    def _positions(self, ids: Ids) -> Ids:
        """Where ids are among all."""
        return self._order[np.searchsorted(self.ids, ids, sorter=self._order)]

    @cached_property
    def _order(self) -> Ids:
        return np.argsort(self.ids, kind="stable")

    def _of_lists(self, query: Query, lists: Mapping[str, Any]) -> Vectors:
        """The part of the similarity to each photo that engines without vectors know."""
        total = np.zeros(len(self), np.float32)
        for name, held in lists.items():
            engine = self.model.lists[name]
            asked = engine.asked(query.features, query.regions)
            total += self.weighed(name, engine.scores(held, asked))
        return total

    def weighed(self, name: str, similarities: Vectors) -> Vectors:
        """What an inverted file's similarities add to the sum."""
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
            graph = self.only(first == np.arange(len(self))).graph(neighbours, gamma=gamma)
            return graph.with_copies(first, np.ones(len(graph), np.float32))
        if isinstance(neighbours, str):
            return suited_graph(*_known(self.neighbours(max(LENGTHS))), gamma=gamma)
        if not self.lists and self.index is not None:
            return KNNGraph.build(self.index.reconstruct(self.ids), neighbours, gamma=gamma)
        found = _known(self.neighbours(neighbours))
        return KNNGraph.from_neighbours(*found, k=neighbours, gamma=gamma)

    def only(self, kept: NDArray[np.bool_]) -> Fused:
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
        """The k most similar other photos of each; see ``near``."""
        return self.near(k)[0]

    def near(self, k: int) -> tuple[Neighbours, Vectors]:
        """The k most similar other photos of each, and how similar a photo has to be to be among the proposed.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1; and the least similarity by each of ``indexes``, float32 (photos, indexes), -inf where all are proposed.
        An inverted file counts for those pairs that are among the nearest by itself: of others it knows little.
        """
        n, wide = len(self), min(self.width(k), max(len(self) - 1, 1))
        rows, columns, values = [], [], []
        floors = np.full((n, len(self.indexes)), -np.inf, np.float32)

        def propose(found: Neighbours, weighed: Any, of: int) -> None:
            there = (found.ids >= 0) & (found.ids != np.arange(n)[:, None])
            rows.append(np.nonzero(there)[0])
            columns.append(found.ids[there])
            values.append(weighed(found.distances[there]))
            if wide == self.width(k):
                floors[:, of] = found.distances[:, -1]

        vectors = None if self.index is None else self.index.reconstruct(self.ids)
        for at, (name, lists) in enumerate(self.lists.items(), start=vectors is not None):
            near = self.model.lists[name].neighbours(lists, wide)
            propose(near, lambda found, name=name: self.weighed(name, found), at)
        if vectors is not None:
            propose(self_neighbours(vectors, wide, metric="ip"), np.zeros_like, 0)
        pairs, place = np.unique(
            np.concatenate(rows) * n + np.concatenate(columns), return_inverse=True
        )
        total = np.bincount(place.reshape(-1), weights=np.concatenate(values)).astype(np.float32)
        row, column = np.divmod(pairs, n)
        if vectors is not None:
            total += pair_values(vectors, row, column)
        return best_of_rows(row, column, total, n, k), floors

    @staticmethod
    def width(k: int) -> int:
        """How many photos each engine proposes for a list of k."""
        return _CANDIDATES * k


def pair_values(vectors: Vectors, row: Ids, column: Ids) -> Vectors:
    """The inner products of pairs of rows, float32; those of a pair both ways are equal to the bit."""
    found = np.empty(len(row), np.float32)
    for at in range(0, len(row), _PAIRS):
        part = slice(at, at + _PAIRS)
        found[part] = np.einsum("ij,ij->i", vectors[row[part]], vectors[column[part]])
    return found


def searched_rows(fused: Fused, name: str) -> tuple[Ids, int]:
    """The ids of the vectors that an index of that name is to hold, and their dimension; none where there are none."""
    part: Any = fused.index if name == "search" else fused.lists.get("regions")
    if part is None:
        return np.empty(0, np.int64), 0
    return np.asarray(part.ids if name == "search" else part.rows), part.dim


def searched_vectors(fused: Fused, name: str, ids: Ids) -> Vectors:
    """Those vectors, by their ids."""
    if name == "search":
        assert fused.index is not None
        return fused.index.reconstruct(ids)
    vectors: Vectors = fused.lists["regions"].vectors[ids]
    return vectors


def best_of_rows(row: Ids, column: Ids, total: Vectors, n: int, k: int) -> Neighbours:
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
