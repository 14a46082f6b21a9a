"""The graph of nearest neighbours: what every diffusion runs on."""

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
from kinfold.base.copies import first_copies
from kinfold.base.declared import Declared
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Extra, Learnt
from kinfold.base.metrics import as_metric
from kinfold.base.parameters import Count, Flag, Metric, Number
from kinfold.base.state import check_range, check_starts
from kinfold.graph.copies import join_copies
from kinfold.graph.lists import METRICS, KNNLists, as_lists, own_similarities

_MOST_NODES = np.iinfo(np.int32).max

# The kind of path, and what its steps cost.
_PATHS = {
    "bottleneck": "bottleneck",
    "geodesic": "negative_log",
    "geodesic-linear": "one_minus",
}


class GraphPath(NamedTuple):
    """A chain of nodes. ids : int64 (m,). similarities : float32 (m - 1,), or (m,) where the
    similarities of the sources were given: then the first leads to the first node. Empty if none."""

    ids: Ids
    similarities: Vectors


class KNNGraph(Declared):
    """Symmetric graph of similarities s = max(x . y, 0) ** gamma, without loops, in compressed rows.

    Row i holds neighbours[starts[i]:starts[i + 1]], ascending, with their weights. An isolated node
    has an empty row. Made by ``fit`` from vectors or ``from_neighbours`` from any index's answers.

    Parameters
    ----------
    k : length of the neighbour lists, the vector itself not counted; n_neighbors
    gamma : the power that turns similarities into weights
    metric : "cosine" or "ip" (inner product)
    reciprocal : keep an edge only where each end is among the k nearest of the other; else where either is

    Attributes
    ----------
    starts : int64 (n + 1,)
    neighbours : int32 (entries,)
    weights : float32 (entries,), similarities to the power gamma, > 0
    copies : int64 (n,) or None, the first copy of each node, itself where there is none before: copies are one item,
        joined by edges, and flows go over the items

    Iscen, Tolias, Avrithis, Furon & Chum, CVPR 2017, section 3.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.KNNGraph(10, reciprocal=False).fit(x)
    KNNGraph(200 nodes, 1160 edges, k=10, gamma=3)
    """

    kind: ClassVar[str] = "graph.KNN"

    gamma = Number(least=0, open=True)
    k = Count()
    metric = Metric(METRICS)
    reciprocal = Flag()
    starts = Learnt(np.int64, ("n+1",))
    neighbours = Learnt(np.int32, ("entries",), empty=True)
    weights = Learnt(np.float32, ("entries",), empty=True)
    copies = Extra(np.int64, ("n",), empty=True)

    def __init__(
        self, k: int = 50, *, gamma: float = 3.0, metric: str = "cosine", reciprocal: bool = True
    ) -> None:
        self.k, self.gamma, self.metric, self.reciprocal = k, gamma, metric, reciprocal

    @classmethod
    def from_rows(
        cls,
        starts: ArrayLike,
        neighbours: ArrayLike,
        weights: ArrayLike,
        *,
        copies: ArrayLike | None = None,
        **options: Any,
    ) -> KNNGraph:
        """A graph that was made elsewhere, symmetric, in compressed rows.

        starts int (n + 1,), neighbours int (entries,), weights (entries,), copies int (n,) : see the attributes
        options : parameters of the graph
        """
        return cls(**options)._hold(starts, neighbours, weights, copies)

    def _hold(self, starts: Any, neighbours: Any, weights: Any, copies: Any) -> KNNGraph:
        """The rows, once they are sound."""
        self.starts = as_ids(starts, "starts")
        self.starts = as_ids(starts, "starts")
        neighbours, weights = as_array(neighbours, "neighbours"), as_array(weights, "weights")
        if neighbours.ndim != 1 or neighbours.dtype.kind not in "iu":
            raise ValueError(
                f"neighbours: expected nodes (entries,), got {neighbours.dtype} of shape {neighbours.shape}"
            )
        if weights.shape != neighbours.shape:
            raise ValueError(
                f"weights: expected one for each neighbour {neighbours.shape}, got {weights.shape}"
            )
        try:
            check_starts(self.starts, len(neighbours), "starts")
            check_range(neighbours, min(len(self.starts) - 1, _MOST_NODES), "neighbours")
        except FileFormatError as error:
            raise ValueError(str(error)) from error
        self.neighbours = np.ascontiguousarray(neighbours, np.int32)
        self.weights = np.ascontiguousarray(weights, np.float32)
        if not (self.weights.min(initial=0) >= 0 and self.weights.max(initial=0) < np.inf):
            raise ValueError("weights: expected finite numbers >= 0")
        self.copies = None
        if copies is not None:
            self.copies = as_ids(copies, "copies", n=len(self))
            nodes = np.arange(len(self))
            if (self.copies > nodes).any() or (self.copies[self.copies] != self.copies).any():
                raise ValueError("copies: expected the first copy of each node")
        self._normalised: Vectors | None = None
        self._items: tuple[KNNGraph, Ids] | None = None
        return self

    @classmethod
    def build(
        cls,
        x: ArrayLike,
        k: int = 50,
        *,
        gamma: float = 3.0,
        metric: str = "cosine",
        reciprocal: bool = True,
        **options: Any,
    ) -> KNNGraph:
        """``KNNGraph(k, ...).fit(x, **options)``."""
        return cls(k, gamma=gamma, metric=metric, reciprocal=reciprocal).fit(x, **options)

    def fit(self, x: ArrayLike, *, index: Any = None, **options: Any) -> KNNGraph:
        """The graph of the nearest neighbours of each vector among the others.

        x : float32 (n, d)
        index, options : how neighbours are found, see KNNLists.fit

        Equal vectors are one item while neighbours are looked for, so that copies neither crowd out what else is near
        nor lose each other; then each is joined with the neighbours and with up to k copies, so that all are connected.
        An index that is given holds the copies too: it is asked for more neighbours, four times as many at most.
        """
        x, k = as_vectors(x, "x"), self.k
        own = own_similarities(x, self.metric)
        first = first_copies(own.vectors)
        kept = np.flatnonzero(first == np.arange(len(x)))
        if len(kept) == len(x):
            lists = KNNLists(k, metric=self.metric).fit(x, index=index, **options)
            return self._take(self._of_lists(lists))
        if index is None or isinstance(index, str):
            lists = KNNLists(k, metric=self.metric).fit(x[kept], index=index, **options)
        else:
            most = int(np.bincount(first).max())
            wide = min(k + most - 1, 4 * k, len(x) - 1)
            lists = KNNLists(wide, metric=self.metric).fit(x, index=index, **options).of(first, k)
        graph = self._of_lists(lists)
        if self.reciprocal:
            return self._take(graph.with_copies(first, own.values[kept]))
        # Rows of a graph of either's lists may be long: it is the lists that are handed on.
        weights = np.where(lists.ids >= 0, graph.weigh(lists.similarities), 0)
        joined = join_copies(lists.ids, weights, first, graph.weigh(own.values[kept]), k)
        return self._hold(*joined, first)

    def _of_lists(self, lists: KNNLists) -> KNNGraph:
        return KNNGraph.from_lists(lists, gamma=self.gamma, reciprocal=self.reciprocal)

    def _take(self, other: KNNGraph) -> KNNGraph:
        return self._hold(other.starts, other.neighbours, other.weights, other.copies)

    def with_copies(self, first: ArrayLike, own: ArrayLike) -> KNNGraph:
        """The graph of all items, from that of those without copies before them. Of reciprocal graphs alone.

        first : int64 (n,)    the first copy of each item; the nodes are those that are their own, in their order
        own : float32 (nodes,)    what each node's copies have for similarity
        Raises ValueError for others.
        """
        first = as_ids(first, "first")
        nodes = np.flatnonzero(first == np.arange(len(first)))
        if len(nodes) != len(self) or not np.isin(first, nodes).all():
            raise ValueError(
                f"first: expected the first copies of items, {len(self)} of them different"
            )
        if not self.reciprocal:
            raise ValueError("first: expected a reciprocal graph, whose rows are short")
        if self.copies is not None:
            # Copies of copies: all are of one item.
            number = np.cumsum(first == np.arange(len(first))) - 1
            its_own = self.copies == np.arange(len(self))
            return self.items()[0].with_copies(
                nodes[self.copies[number[first]]], as_array(own, "own")[its_own]
            )
        lengths = np.diff(self.starts)
        at = np.arange(len(self.neighbours)) - np.repeat(self.starts[:-1], lengths)
        ids = np.full((len(self), int(lengths.max(initial=1))), -1, np.int64)
        weights = np.zeros(ids.shape, np.float32)
        ids[self._rows(), at], weights[self._rows(), at] = self.neighbours, self.weights
        return KNNGraph.from_rows(
            *join_copies(ids, weights, first, self.weigh(own), self.k),
            gamma=self.gamma, metric=self.metric, k=self.k, reciprocal=True, copies=first,
        )  # fmt: skip

    def items(self) -> tuple[KNNGraph, Ids | None]:
        """The graph of the items, and of which item each node is a copy; itself and None where there are no copies.

        Kept once made.
        Copies are int64 (items,).
        """
        if self.copies is None:
            return self, None
        if self._items is None:
            own = self.copies == np.arange(len(self))
            item, n = (np.cumsum(own) - 1)[self.copies], int(own.sum())
            rows, columns = item[self._rows()], item[self.neighbours]
            between = rows != columns
            keys, at = np.unique((rows * n + columns)[between], return_index=True)
            rows, columns = np.divmod(keys, max(n, 1))
            starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
            graph = KNNGraph.from_rows(
                starts, columns, self.weights[between][at],
                gamma=self.gamma, metric=self.metric, k=self.k, reciprocal=self.reciprocal,
            )  # fmt: skip
            self._items = graph, item
        return self._items

    @classmethod
    def from_lists(
        cls, lists: KNNLists, *, gamma: float = 3.0, reciprocal: bool = True
    ) -> KNNGraph:
        """The graph of neighbour lists that are kept up to date."""
        return cls.from_neighbours(
            lists.similarities, lists.ids, gamma=gamma, metric=lists.metric, reciprocal=reciprocal
        )

    @classmethod
    def from_neighbours(
        cls,
        similarities: ArrayLike,
        ids: ArrayLike | None = None,
        n: int | None = None,
        *,
        k: int | None = None,
        gamma: float = 3.0,
        metric: str = "cosine",
        reciprocal: bool = True,
    ) -> KNNGraph:
        """The graph of given neighbour lists, exact or approximate.

        similarities : float32 (n, width)   inner products, before the power gamma; or the Neighbours of a search,
            which hold the ids too
        ids : int64 (n, width)              neighbours of each item, nearest first; -1 past the end.
            The item itself is passed over wherever it stands.
        n : the number of items, len(ids)
        k : the lists are cut to k, after the item itself is taken out; the whole width if not given
        metric : "cosine": similarities above 1 are rounding and become 1; or "ip"
        Where two lists disagree on a similarity, as those of compressed indexes do, the larger counts.
        Raises ValueError for ids outside [0, n), an id twice in a list, or similarities not finite.
        """
        values, lists = as_lists(similarities, ids)
        if lists.ndim != 2 or lists.dtype.kind not in "iu" or lists.size == 0:
            raise ValueError(f"ids: expected ids (n, k), got {lists.dtype} of shape {lists.shape}")
        lists = np.ascontiguousarray(lists, np.int32 if lists.dtype == np.int32 else np.int64)
        if n is not None and as_count(n, "n") != len(lists):
            raise ValueError(f"ids: expected {n} lists, one an item, got {len(lists)}")
        k = lists.shape[1] if k is None else as_count(k, "k")
        gamma = as_number(gamma, "gamma", least=0, open=True)
        metric = as_metric(metric, known=METRICS)
        weights = weigh(np.where(lists >= 0, values, 0), gamma, metric)
        starts, neighbours, merged = _core.graph.symmetrize(lists, weights, k, bool(reciprocal))
        return cls.from_rows(
            starts, neighbours, merged, gamma=gamma, metric=metric, k=k, reciprocal=reciprocal
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __repr__(self) -> str:
        return f"KNNGraph({len(self)} nodes, {len(self.neighbours) // 2} edges, k={self.k}, gamma={self.gamma:g})"

    def weigh(self, similarities: ArrayLike) -> Vectors:
        """Similarities to weights, as for the graph's own edges: max(s, 0) ** gamma."""
        return weigh(as_array(similarities, "similarities"), self.gamma, self.metric)

    def degrees(self) -> NDArray[np.float64]:
        """Sum of the weights of each node, float64 (n,); 0 where it is isolated."""
        degrees = np.bincount(self._rows(), weights=self.weights, minlength=len(self))
        return degrees.astype(np.float64)

    def normalised(self) -> Vectors:
        """Weights of D^-1/2 W D^-1/2, in the order of ``neighbours``: symmetric, spectrum in [-1, 1].

        Kept once computed; read-only.
        Returns float32, one for each edge.
        """
        if self._normalised is not None:
            return self._normalised
        degrees = self.degrees()
        scale = np.zeros(len(self))
        np.divide(1.0, np.sqrt(degrees), out=scale, where=degrees > 0)
        # The two scales are multiplied first: both directions of an edge then get the same bits.
        weights = self.weights * (scale[self._rows()] * scale[self.neighbours])
        self._normalised = weights.astype(np.float32)
        self._normalised.flags.writeable = False
        return self._normalised

    def path(
        self,
        source_ids: ArrayLike,
        target: int,
        kind: str = "bottleneck",
        *,
        source_similarities: ArrayLike | None = None,
    ) -> GraphPath:
        """The best chain of nodes from any of the sources to the target.

        source_ids : int64 (m,)             such as the nearest neighbours of a query
        kind : "bottleneck"       the weakest similarity on the way is the greatest possible; of
                                  such chains one of the fewest steps
               "geodesic"         the product of the similarities is the greatest (length -log s)
               "geodesic-linear"  the sum of 1 - s is the least
        source_similarities : float32 (m,)  of the query to the sources: the way begins at the query
        Returns ids (empty if the sources do not reach the target) and similarities, before the power.
        Raises ValueError for similarities that are not one a source.
        """
        sources = as_ids(source_ids, "source_ids")
        cost = _PATHS[as_choice(kind, "kind", _PATHS)]
        target = as_count(target, "target", least=0)
        if source_similarities is None:
            steps = np.full(len(sources), np.inf, np.float32)
        else:
            steps = self.weigh(source_similarities)
            if steps.shape != sources.shape:
                raise ValueError(
                    f"source_similarities: expected {len(sources)}, one a source, got {steps.shape}"
                )
        ids, weights = _core.graph.path(
            self.starts, self.neighbours, self.weights, sources, steps, target, cost, self.gamma
        )
        similarities = np.power(weights, np.float32(1 / self.gamma))
        return GraphPath(ids, similarities if source_similarities is not None else similarities[1:])

    def _settle(self, sides: Mapping[str, Any]) -> None:
        self._take(self)

    def _rows(self) -> Ids:
        """The row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def weigh(similarities: ArrayLike, gamma: float, metric: str) -> Vectors:
    """max(s, 0) ** gamma in float32; cosines are cut at 1, which rounding passes."""
    values = np.asarray(similarities, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError("similarities: expected finite numbers, got NaN or infinity")
    top = 1.0 if metric == "cosine" else np.inf
    with np.errstate(over="ignore", under="ignore"):
        powers: Vectors = np.power(np.clip(values, 0.0, top), np.float32(gamma), dtype=np.float32)
    if not np.isfinite(powers).all():
        raise ValueError(f"similarities: expected powers of gamma={gamma:g} within float32")
    return powers
