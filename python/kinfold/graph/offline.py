"""Diffusion made beforehand: what flows from each node is kept, a query adds up a few such rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_ids
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count, Metric, Number
from kinfold.base.state import check_range, check_starts
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.flow import Alpha, Scorer, as_graph, largest
from kinfold.graph.knn import KNNGraph
from kinfold.graph.lists import METRICS
from kinfold.graph.query_vector import Nodes, query_vectors
from kinfold.graph.truncated import diffuse, near_items, subgraph

# Columns that are solved at once where no neighbourhood is given.
_BLOCK = 32


class OfflineDiffusion(Scorer):
    """Diffusion from each node, truncated, kept as sparse rows; a query is a sum of its neighbours' rows.

    A query takes the time of adding k_query rows, whatever the size of the database;
    memory is 8 bytes for each of the ``keep`` entries of a row. Scores agree with Diffusion up to what
    the neighbourhood and ``keep`` cut off.

    Parameters
    ----------
    keep : so many of the largest scores of a node are kept
    alpha, iterations, tolerance : as of Diffusion

    Attributes
    ----------
    starts : int64 (n + 1,)
    ids : int32 (entries,), nodes that row i reaches, ascending, in starts[i]:starts[i + 1]
    values : float32 (entries,), their scores

    Yang, Hinami, Matsui, Ly & Satoh, AAAI 2019, of which this is the form for queries outside the graph.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> graph = kf.KNNGraph(10, reciprocal=False).fit(x)
    >>> kf.OfflineDiffusion(keep=50).fit(graph).rank([0.9, 0.8], [3, 5], k=4).ids.shape
    (4,)
    """

    kind: ClassVar[str] = "graph.Offline"

    alpha = Alpha()
    gamma = Number(least=0, open=True)
    metric = Metric(METRICS)
    keep = Count()
    iterations = Count(most=100_000)
    tolerance = Number(least=0)
    starts = Learnt(np.int64, ("n+1",))
    ids = Learnt(np.int32, ("entries",), empty=True)
    values = Learnt(np.float32, ("entries",), empty=True)

    def __init__(
        self,
        keep: int = 1000,
        *,
        alpha: float = 0.99,
        iterations: int = 20,
        tolerance: float = 1e-6,
    ) -> None:
        self.keep, self.alpha = keep, alpha
        self.iterations, self.tolerance = iterations, tolerance

    @property
    def nodes(self) -> Nodes:
        """What is known of the graph."""
        return Nodes(len(self.starts) - 1, self.gamma, self.metric)

    @classmethod
    def build(
        cls, graph: KNNGraph, neighbourhoods: ArrayLike | None = None, **options: Any
    ) -> OfflineDiffusion:
        """``OfflineDiffusion(**options).fit(graph, neighbourhoods)``."""
        return cls(**options).fit(graph, neighbourhoods)

    def fit(self, graph: KNNGraph, neighbourhoods: ArrayLike | None = None) -> OfflineDiffusion:
        """Diffuse from every node.

        neighbourhoods : int (n, size)   the nodes nearest to each node by plain similarity, to which its
            diffusion is confined; -1 past the end. Without, each diffusion runs over the whole graph
        """
        as_graph(graph)
        self.gamma, self.metric = graph.gamma, graph.metric
        self.starts = np.zeros(1, np.int64)
        self.ids, self.values = np.empty(0, np.int32), np.empty(0, np.float32)
        made = self.updated(graph, np.arange(len(graph)), neighbourhoods)
        self.starts, self.ids, self.values = made.starts, made.ids, made.values
        return self

    def updated(
        self, graph: KNNGraph, nodes: ArrayLike, neighbourhoods: ArrayLike | None = None
    ) -> OfflineDiffusion:
        """Rows of some nodes made anew, for a graph that has changed there or has grown.

        graph : KNNGraph              the graph as it is now, of at least as many nodes
        nodes : int (m,)              whose rows are made: the new nodes, and those near them
        neighbourhoods : int (m, size)    of these nodes, as of build
        The other rows stay, and know nothing of the change. New nodes without a row have an empty one.
        Raises ValueError for a graph of another gamma or metric.
        """
        as_graph(graph)
        nodes = as_ids(nodes, "nodes")
        if (graph.gamma, graph.metric) != (self.nodes.gamma, self.nodes.metric):
            raise ValueError(
                f"graph: expected gamma={self.nodes.gamma:g} and metric {self.nodes.metric}, "
                f"got {graph.gamma:g} and {graph.metric}"
            )
        if len(graph) < len(self.nodes):
            raise ValueError(f"graph: expected at least {len(self.nodes)} nodes, got {len(graph)}")
        if nodes.size and nodes.max() >= len(graph):
            raise ValueError(f"nodes: expected nodes below {len(graph)}, got {nodes.max()}")
        lists = None if neighbourhoods is None else as_array(neighbourhoods, "neighbourhoods")
        if lists is not None and (
            lists.ndim != 2 or lists.dtype.kind not in "iu" or len(lists) != len(nodes)
        ):
            raise ValueError(
                f"neighbourhoods: expected ids ({len(nodes)}, size), got {lists.dtype} of shape {lists.shape}"
            )
        if lists is not None and lists.size and (lists.max() >= len(graph) or lists.min() < -1):
            raise ValueError(f"neighbourhoods: expected nodes from 0 to {len(graph) - 1} or -1")
        rows: dict[int, tuple[NDArray[np.int32], Vectors]] = {}
        if lists is None:
            self._whole(graph, nodes, rows)
        else:
            self._confined(graph, nodes, lists, rows)
        counts = np.zeros(len(graph), np.int64)
        counts[: len(self.nodes)] = np.diff(self.starts)
        for node, (ids, _) in rows.items():
            counts[node] = len(ids)
        starts = np.concatenate([[0], np.cumsum(counts)])
        ids, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        for node in range(len(graph)):
            into = slice(starts[node], starts[node + 1])
            if node in rows:
                ids[into], values[into] = rows[node]
            elif node < len(self.nodes):
                kept = slice(self.starts[node], self.starts[node + 1])
                ids[into], values[into] = self.ids[kept], self.values[kept]
        made = copy.copy(self)
        made.starts, made.ids, made.values = starts, ids, values
        return made

    def _whole(self, graph: KNNGraph, nodes: Ids, rows: dict[int, Any]) -> None:
        """Rows by diffusion over the whole graph."""
        flow = Diffusion(
            graph, alpha=self.alpha, iterations=self.iterations, tolerance=self.tolerance
        )
        for first in range(0, len(nodes), _BLOCK):
            block = nodes[first : first + _BLOCK]
            scores = flow.scores(np.ones((len(block), 1), np.float32), block[:, None])
            for node, row in zip(block, scores):
                rows[int(node)] = self._kept(np.arange(len(graph)), row)

    def _confined(
        self, graph: KNNGraph, nodes: Ids, lists: NDArray[Any], rows: dict[int, Any]
    ) -> None:
        """Rows by diffusion within the nodes' neighbourhoods."""
        items, item = graph.items()
        for node, members in zip(nodes, lists):
            near = np.unique(np.append(members[members >= 0], node)).astype(np.int64)
            inside, place = near_items(near, item)
            own = node if item is None else item[node]
            scores = diffuse(
                subgraph(items, inside), np.searchsorted(inside, [own]), np.ones(1),
                self.alpha, self.iterations, self.tolerance,
            )[place]  # fmt: skip
            rows[int(node)] = self._kept(near, scores)

    def _kept(self, nodes: Ids, scores: Vectors) -> tuple[NDArray[np.int32], Vectors]:
        """The largest scores above 0, by ascending node."""
        order = np.sort(largest(scores, self.keep))
        order = order[scores[order] > 0]
        return nodes[order].astype(np.int32), scores[order]

    def _scores(self, values: NDArray[Any], lists: NDArray[Any]) -> Vectors:
        scores = np.zeros((len(lists), len(self.nodes)), np.float32)
        for row, (nodes, sums) in enumerate(self._each(values, lists)):
            scores[row, nodes] = sums
        return scores

    def _each(self, values: NDArray[Any], lists: NDArray[Any]) -> Iterator[tuple[Ids, Vectors]]:
        sides = query_vectors(self.nodes, values, lists)
        for row in range(len(lists)):
            yield self._sum(sides.ids, sides.weights, sides.starts[row : row + 2])

    def _sum(self, ids: NDArray[Any], weights: Vectors, span: Ids) -> tuple[Ids, Vectors]:
        """One query's nodes, ascending, and their scores: the weighted sum of its neighbours' rows."""
        entries = [
            (slice(self.starts[node], self.starts[node + 1]), weight)
            for node, weight in zip(ids[span[0] : span[1]], weights[span[0] : span[1]])
        ]
        if not entries:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        nodes, place = np.unique(
            np.concatenate([self.ids[row] for row, _ in entries]), return_inverse=True
        )
        parts = np.concatenate([self.values[row] * weight for row, weight in entries])
        return nodes.astype(np.int64), np.bincount(
            place, weights=parts, minlength=len(nodes)
        ).astype(np.float32)

    def __len__(self) -> int:
        return len(self.nodes)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        check_starts(self.starts, len(self.ids), "starts")
        check_range(self.ids, len(self.starts) - 1, "ids")
