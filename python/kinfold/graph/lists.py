"""The nearest neighbours of each item among the others: what graphs are made of, as items come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Ids,
    Vectors,
    as_array,
    as_choice,
    as_count,
    as_ids,
    as_number,
    as_vectors,
)
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.neighbours import exact_neighbours, other_neighbours
from kinfold.base.parameters import Count, Metric
from kinfold.base.ranking import Neighbours, ids_in_front
from kinfold.base.warn import warn_caller
from kinfold.index.base import unit_rows
from kinfold.index.factory import index_factory

METRICS = ("cosine", "ip")
METHODS = ("exact", "nn-descent")

_Int32 = NDArray[np.int32]


class KNNLists(Declared):
    """The k most similar others of each item, best first; ties by the smaller id.

    Parameters
    ----------
    k : length of the lists; n_neighbors
    metric : "cosine" or "ip" (inner product)

    Attributes
    ----------
    similarities : float32 (n, k), cosines or inner products, canonical to the bit; 0 where there are fewer than k
    ids : int32 (n, k), -1 where there are fewer

    Vectors are not kept: ``insert`` and ``remove`` are given them again. Lists never change; what these
    return are new lists, equal to those of a rebuild where the old lists were exact.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> lists = kf.KNNLists(10).fit(x)
    >>> lists.similarities.shape, lists.ids.shape
    ((200, 10), (200, 10))
    """

    kind: ClassVar[str] = "graph.KNNLists"

    k = Count().unsaved()
    metric = Metric(METRICS)
    ids = Learnt(np.int32, ("n", "width"), empty=True)
    similarities = Learnt(np.float32, ("n", "width"), empty=True)

    def __init__(self, k: int = 50, *, metric: str = "cosine") -> None:
        self.k, self.metric = k, metric

    def __repr__(self) -> str:
        return f"KNNLists(k={self.k}, metric={self.metric!r})"

    @classmethod
    def from_neighbours(
        cls, similarities: ArrayLike, ids: ArrayLike | None = None, *, metric: str = "cosine"
    ) -> KNNLists:
        """Lists that were found elsewhere.

        similarities : float32 (n, k), or the Neighbours of a search, which hold the ids too
        ids : int (n, k)    of the others; -1 past the end
        Raises ValueError for lists of no neighbours, or ids that no item has.
        """
        values, lists = as_lists(similarities, ids)
        if lists.ndim != 2 or lists.dtype.kind not in "iu" or lists.shape[1] == 0:
            raise ValueError(f"ids: expected ids (n, k), got {lists.dtype} of shape {lists.shape}")
        return cls(lists.shape[1], metric=metric)._hold(values, lists)

    def _hold(self, values: NDArray[Any], lists: NDArray[Any]) -> KNNLists:
        """The lists, once they are sound."""
        if lists.size and (lists.min() < -1 or lists.max() >= len(lists)):
            raise ValueError(
                f"ids: expected ids from 0 to {len(lists) - 1} or -1, "
                f"got {lists.min() if lists.min() < -1 else lists.max()}"
            )
        self.ids = np.ascontiguousarray(lists, np.int32)
        self.similarities = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(self.similarities).all():
            raise ValueError("similarities: expected finite numbers, got NaN or infinity")
        return self

    @classmethod
    def build(
        cls, x: ArrayLike, k: int = 50, *, metric: str = "cosine", **options: Any
    ) -> KNNLists:
        """``KNNLists(k, metric=metric).fit(x, **options)``."""
        return cls(k, metric=metric).fit(x, **options)

    def fit(
        self,
        x: ArrayLike,
        *,
        method: str = "exact",
        index: Any = None,
        seed: int = 0,
        recall: float = 0.98,
        threads: int = 0,
        **search: Any,
    ) -> KNNLists:
        """The neighbours of each vector among the others.

        x : float32 (n, d)
        method : "exact", or "nn-descent": approximate, for millions of vectors (Dong, Moses & Li, WWW
            2011); the result depends on the seed, not on the threads. Up to 32,768 vectors, and for inner
            products of vectors whose lengths differ, it is the exact join, which is quicker there
        recall : rounds of nn-descent go on while a sample of rows has found less than this share of its neighbours
        index : search in this index instead: a description such as "IVF1024,SQ8", trained here, or an
            index that holds the rows of x under their numbers; ``search`` are options of its search,
            such as nprobe=16. Similarities are those of the vectors, whatever the index compares: a second look
            of its own (",RFlat") is work done twice
        threads : of the exact join, or of the index
        Raises ValueError for options of a search without an index.
        """
        vectors, k = _vectors(x, "x", self.metric), self.k
        as_choice(method, "method", METHODS)
        threads = as_count(threads, "threads", least=0, most=1024)
        if index is not None:
            search["threads"] = threads
            ids, values = _valued(vectors, _ask(vectors, k, index, seed, search), k)
            return self._hold(values, ids)
        if search:
            raise ValueError(f"{next(iter(search))}: expected an index that takes it")
        if method == "exact":
            distances, ids = _core.neighbours.self_join(vectors, "ip", k, threads=threads)
        else:
            seed = as_count(seed, "seed", least=0)
            recall = as_number(recall, "recall", least=0, most=1)
            distances, ids, _ = _core.neighbours.nn_descent(vectors, "ip", k, seed, recall=recall)
        return self._hold(np.where(ids >= 0, -distances, 0), ids)

    def __len__(self) -> int:
        return len(self.ids)

    def insert(self, x: ArrayLike, new: ArrayLike) -> KNNLists:
        """The lists with more items, numbered after the present ones.

        x : float32 (n, d)      the vectors of the present items
        new : float32 (m, d)    those of the new ones
        The new items are searched for among all, and enter the lists of those that they are nearer to
        than the last: m (2 n + m) similarities.
        """
        old = self._matching(x)
        more = _vectors(new, "new", self.metric, dim=old.shape[1])
        n, m, k = len(old), len(more), self.k
        found = exact_neighbours(old, more, min(k, m), metric="ip")
        ids, values = self.ids.copy(), self.similarities.copy()
        last = np.where(ids[:, -1] >= 0, values[:, -1], -np.inf)
        # New numbers are larger: a tie does not displace who is there.
        rows = np.flatnonzero(found.distances[:, 0] > last)
        both = np.concatenate([ids[rows], found.ids[rows].astype(np.int32) + np.int32(n)], axis=1)
        scores = np.concatenate(
            [np.where(ids[rows] >= 0, values[rows], -np.inf), found.distances[rows]], axis=1
        )
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        ids[rows] = np.take_along_axis(both, best, axis=1)
        values[rows] = np.where(ids[rows] >= 0, np.take_along_axis(scores, best, axis=1), 0)
        own = other_neighbours(
            more, np.concatenate([old, more]), np.arange(n, n + m), k, metric="ip"
        )
        return KNNLists.from_neighbours(
            np.concatenate([values, np.where(own.ids >= 0, own.distances, 0)]),
            np.concatenate([ids, own.ids.astype(np.int32)]),
            metric=self.metric,
        )

    def remove(self, x: ArrayLike, rows: ArrayLike) -> KNNLists:
        """The lists without some items; those that remain are numbered anew, in their order.

        x : float32 (n, d)    the vectors of the present items
        rows : int64 (m,)     the items that go
        Items that lose a neighbour are searched for again, and no others.
        Raises ValueError for rows that there are not.
        """
        vectors = self._matching(x)
        gone = as_ids(rows, "rows")
        if gone.size and gone.max() >= len(vectors):
            raise ValueError(f"rows: expected items below {len(vectors)}, got {gone.max()}")
        kept = np.ones(len(vectors), bool)
        kept[gone] = False
        remaining = np.ascontiguousarray(vectors[kept])
        number = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        lists = self.ids[kept]
        lost = ((lists >= 0) & ~kept[lists]).any(axis=1)
        ids = np.where(lists >= 0, number[lists], np.int32(-1))
        values = self.similarities[kept]
        again = np.flatnonzero(lost)
        if again.size:
            found = other_neighbours(
                np.ascontiguousarray(remaining[again]), remaining, again, self.k, metric="ip"
            )
            ids[again] = found.ids
            values[again] = np.where(found.ids >= 0, found.distances, 0)
        return KNNLists.from_neighbours(values, ids, metric=self.metric)

    def of(self, first: Ids, k: int) -> KNNLists:
        """Lists of k of the items that have no copy before them, numbered anew: of others their first copy counts.

        first : int64 (n,)    the first copy of each item
        """
        kept = np.flatnonzero(first == np.arange(len(self)))
        ids = np.where(self.ids >= 0, first[self.ids], -1)[kept]
        ids = once(np.where(ids == kept[:, None], -1, ids))
        # What is left moves to the front, in its order.
        order = np.argsort(ids < 0, axis=1, kind="stable")[:, :k]
        ids = np.take_along_axis(ids, order, axis=1)
        values = np.take_along_axis(self.similarities[kept], order, axis=1)
        number = np.cumsum(first == np.arange(len(self))) - 1
        there = ids >= 0
        return KNNLists.from_neighbours(
            np.where(there, values, 0), np.where(there, number[ids], -1), metric=self.metric
        )

    def _settle(self, sides: Mapping[str, Any]) -> None:
        self.k = self.ids.shape[1]
        self._hold(self.similarities, self.ids)

    def _matching(self, x: Any) -> Vectors:
        vectors = _vectors(x, "x", self.metric)
        if len(vectors) != len(self):
            raise ValueError(f"x: expected {len(self)} vectors, one an item, got {len(vectors)}")
        return vectors


class Own(NamedTuple):
    """Vectors as a metric compares them, float32 (n, d), and the similarity of each to itself, float32 (n,)."""

    vectors: Vectors
    values: Vectors


def own_similarities(x: ArrayLike, metric: str) -> Own:
    """What copies of each vector have for similarity, canonical to the bit."""
    vectors = _vectors(x, "x", as_choice(metric, "metric", METRICS))
    rows = np.arange(len(vectors), dtype=np.int32)[:, None]
    values = -_core.neighbours.list_values(vectors, "ip", np.ascontiguousarray(rows))[:, 0]
    return Own(vectors, values)


def as_lists(similarities: ArrayLike, ids: ArrayLike | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Similarities and ids of one shape, from two arrays or from a search."""
    if ids is None:
        if not isinstance(similarities, Neighbours):
            raise ValueError("ids: expected one for each similarity, got none")
        similarities, ids = similarities
    values, lists = as_array(similarities, "similarities"), as_array(ids, "ids")
    if lists.shape != values.shape:
        raise ValueError(
            f"similarities: expected the shape of ids {lists.shape}, got {values.shape}"
        )
    if ids_in_front(values, lists) and lists.size:
        warn_caller("ids: expected after the similarities, got them in front", DeprecationWarning)
        return lists, values
    return values, lists


def once(lists: NDArray[Any]) -> NDArray[Any]:
    """Lists (..., k) with -1 where they name again what they have named."""
    order = np.argsort(lists, axis=-1, kind="stable")
    ordered = np.take_along_axis(lists, order, axis=-1)
    again = np.zeros(lists.shape, bool)
    np.put_along_axis(again, order[..., 1:], ordered[..., 1:] == ordered[..., :-1], axis=-1)
    return np.where(again, -1, lists)


def _vectors(x: Any, name: str, metric: str, *, dim: int | None = None) -> Vectors:
    vectors = as_vectors(x, name, dim=dim)
    return unit_rows(vectors) if metric == "cosine" else vectors


def _ask(vectors: Vectors, k: int, index: Any, seed: int, search: dict[str, Any]) -> _Int32:
    """What an index finds, the items themselves taken out."""
    if isinstance(index, str):
        index = index_factory(index, vectors.shape[1], metric="ip", seed=seed, verbose=False)
        index.fit(vectors)
        index.add(vectors)
    n = len(vectors)
    ids: Ids = index.search(vectors, min(k + 1, n), **search).ids
    if ids.size and ids.max() >= n:
        raise ValueError(f"index: expected the rows of x alone, below {n}, found id {ids.max()}")
    # The item itself goes wherever it stands; where it is not there, nothing is lost by the cut.
    ids = np.where(ids == np.arange(n)[:, None], -1, ids)
    return ids.astype(np.int32)


def _valued(vectors: Vectors, ids: _Int32, k: int) -> tuple[_Int32, Vectors]:
    """Lists of k ids, best first, with their canonical similarities."""
    distances = _core.neighbours.list_values(vectors, "ip", np.ascontiguousarray(ids, np.int32))
    ids = np.where(ids >= 0, ids, np.iinfo(np.int32).max)
    order = np.lexsort((ids, distances), axis=1)[:, :k]
    ids = np.take_along_axis(ids, order, axis=1)
    values = -np.take_along_axis(distances, order, axis=1)
    missing = np.isinf(values)
    ids[missing], values[missing] = -1, 0
    if ids.shape[1] < k:
        room = ((0, 0), (0, k - ids.shape[1]))
        ids = np.pad(ids, room, constant_values=-1)
        values = np.pad(values, room)
    return ids, values
