"""What all flows on a graph share: from the neighbours of queries to scores and a ranking of all nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_count, as_number, as_vectors
from kinfold.base.declared import Declared
from kinfold.base.parameters import Choice, Count, Number, Parameter
from kinfold.base.ranking import Neighbours
from kinfold.graph.knn import KNNGraph
from kinfold.graph.lists import as_lists
from kinfold.graph.query_vector import RULES, QueryVectors, query_vectors

# Queries that are scored at once when only a ranking is wanted: bounds the memory, fills the registers.
_BLOCK = 32

STORAGES = ("float32", "float16")
# Of each graph and storage: the weights that it was made of, and the system.
_SYSTEMS: WeakKeyDictionary[KNNGraph, dict[str, tuple[Vectors, _core.graph.FlowGraph]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class Solution:
    """Scores and how they were reached.

    scores : float32 (q, n)
    iterations : int32 (q,)               iterations taken
    residuals : float64 (q,)              relative residual (of a walk: relative change) at the end
    history : float64 (iterations + 1, q) the same after each iteration, NaN past the stop
    """

    scores: Vectors
    iterations: NDArray[np.int32]
    residuals: NDArray[np.float64]
    history: NDArray[np.float64]


class Ranker(Declared, ABC):
    """The ranking of nodes by their scores."""

    @abstractmethod
    def _each(
        self, values: NDArray[Any], lists: NDArray[Any]
    ) -> Iterator[tuple[Ids | None, Vectors]]:
        """Of each query nodes, ascending, or None for all, and their scores."""

    def rank(
        self, similarities: ArrayLike, ids: ArrayLike | None = None, k: int = 100
    ) -> Neighbours:
        """The k nodes of the largest scores: scores (q, k), descending, and ids; one query gives (k,).

        Arguments as of scores.

        Ties go to the smaller id. Nodes that the flow does not reach have score 0, or are not ranked where it is kept
        to a part of the graph; past the number of nodes the ids are -1 and the scores -inf.
        """
        values, lists, one = as_batch(similarities, ids)
        k = as_count(k, "k")
        best = np.full((len(lists), k), -np.inf, np.float32)
        found = np.full((len(lists), k), -1, np.int64)
        for row, (nodes, scores) in enumerate(self._each(values, lists)):
            order = largest(scores, k)
            found[row, : len(order)] = order if nodes is None else nodes[order]
            best[row, : len(order)] = scores[order]
        return Neighbours(best[0], found[0]) if one else Neighbours(best, found)


class Scorer(Ranker):
    """Scores of all nodes from the neighbours of a query, and the ranking by them."""

    @abstractmethod
    def _scores(self, values: NDArray[Any], lists: NDArray[Any]) -> Vectors:
        """float32 (q, n), of similarities and lists that have a row a query."""

    def scores(self, similarities: ArrayLike, ids: ArrayLike | None = None) -> Vectors:
        """Scores of all nodes, float32 (q, n), or (n,) for one query.

        similarities : float32 (q, k), of the queries to their neighbours, before the power gamma; or (q, points, k) for
            queries of several points. Or the Neighbours of a search by "ip" or "cosine", which hold the ids too
        ids : int, the same shape    of the neighbours; -1 past the end of a list
        """
        values, lists, one = as_batch(similarities, ids)
        scores = self._scores(values, lists)
        return scores[0] if one else scores

    def _each(
        self, values: NDArray[Any], lists: NDArray[Any]
    ) -> Iterator[tuple[Ids | None, Vectors]]:
        for first in range(0, len(lists), _BLOCK):
            block = slice(first, first + _BLOCK)
            for scores in self._scores(values[block], lists[block]):
                yield None, scores


def as_alpha(alpha: Any, name: str = "alpha") -> float:
    """A number in [0, 1)."""
    value = as_number(alpha, name, least=0, most=1)
    if value == 1:
        raise ValueError("alpha: expected a number in [0, 1), got 1: the system is singular")
    return value


class Alpha(Parameter[float]):
    """A number in [0, 1)."""

    def __init__(self) -> None:
        super().__init__(as_alpha, (int, float), "number from 0 to below 1")


class Flow(Scorer):
    """Scores flow from the neighbours of a query over the normalised graph; of an item, all copies have its score."""

    alpha = Alpha()
    iterations = Count(most=100_000)
    tolerance = Number(least=0)
    query_vector = Choice(*RULES)
    storage = Choice(*STORAGES)

    def __init__(
        self,
        graph: KNNGraph,
        *,
        alpha: float = 0.99,
        iterations: int,
        tolerance: float = 1e-6,
        query_vector: str = "formula",
        storage: str = "float32",
    ) -> None:
        self.graph = as_graph(graph)
        self.alpha, self.iterations, self.tolerance = alpha, iterations, tolerance
        self.query_vector, self.storage = query_vector, storage
        items, self._item = self.graph.items()
        self._system = flow_graph(items, self.storage)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_system"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._system = flow_graph(self.graph, self.storage)

    @abstractmethod
    def _run(self, sides: QueryVectors, start: Vectors | None) -> Any:
        """Scores, iterations, residuals, history."""

    def solve(
        self,
        similarities: ArrayLike,
        ids: ArrayLike | None = None,
        *,
        start: ArrayLike | None = None,
    ) -> Solution:
        """Scores of all nodes, and the convergence.

        similarities, ids : as of scores
        start : float32 (q, n)                    a first guess of the scores
        Raises ValueError for a start of another number of queries.
        """
        values, lists = as_lists(similarities, ids)
        sides = query_vectors(self.graph, values, lists, rule=self.query_vector, items=self._item)
        if start is not None:
            start = as_vectors(start, "start", dim=len(self.graph))
            if len(start) != len(lists):
                raise ValueError(
                    f"start: expected {len(lists)} rows, one a query, got {len(start)}"
                )
        if self._item is None:
            return Solution(*self._run(sides, start))
        if start is not None:
            start = start[:, np.unique(self._item, return_index=True)[1]]
        scores, *rest = self._run(sides, start)
        return Solution(scores[:, self._item], *rest)

    def _scores(self, values: NDArray[Any], lists: NDArray[Any]) -> Vectors:
        return self.solve(values, lists).scores


def as_graph(graph: Any) -> KNNGraph:
    """The argument, if it is a graph."""
    if not isinstance(graph, KNNGraph):
        raise ValueError(f"graph: expected a KNNGraph, got {type(graph).__name__}")
    return graph


def flow_graph(graph: KNNGraph, storage: str = "float32") -> _core.graph.FlowGraph:
    """The normalised graph as the solvers read it; made once for a graph and kept while it lives."""
    weights = graph.normalised()
    kept = _SYSTEMS.setdefault(graph, {})
    if storage not in kept or kept[storage][0] is not weights:
        system = _core.graph.FlowGraph(
            graph.starts, graph.neighbours, weights, storage == "float16"
        )
        kept[storage] = weights, system
    return kept[storage][1]


def as_batch(
    similarities: ArrayLike, ids: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any], bool]:
    """Lists of one query (k,) become (1, k)."""
    values, lists = as_lists(similarities, ids)
    return (values[None], lists[None], True) if lists.ndim == 1 else (values, lists, False)


def largest(scores: Vectors, k: int) -> NDArray[np.int64]:
    """Positions of the k largest, descending, ties by position."""
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        nodes = np.flatnonzero(scores >= least)
    else:
        nodes = np.arange(len(scores))
    return nodes[np.argsort(-scores[nodes], kind="stable")[:k]].astype(np.int64)
