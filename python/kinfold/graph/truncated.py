"""Diffusion within a neighbourhood of the query: the cost does not grow with the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors
from kinfold.base.parameters import Choice, Count, Number
from kinfold.base.ranking import Neighbours
from kinfold.graph.flow import Alpha, Ranker, as_graph
from kinfold.graph.knn import KNNGraph
from kinfold.graph.query_vector import RULES, query_vectors


class TruncatedDiffusion(Ranker):
    """Diffusion on the graph of the nodes that are nearest to the query by plain similarity alone.

    graph : KNNGraph of the whole database
    k_query : the diffusion starts from so many of the nearest
    alpha, iterations, tolerance, query_vector : as of Diffusion

    Degrees are those within the neighbourhood. A query costs what its neighbourhood has edges, whatever
    the size of the database. Iscen, Tolias, Avrithis, Furon & Chum, CVPR 2017, section 4.3.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> graph = kf.KNNGraph(10, reciprocal=False).fit(x)
    >>> near = [0.9, 0.8, 0.7, 0.6], [3, 5, 8, 9]
    >>> kf.TruncatedDiffusion(graph).rank(*near, k=4).ids.shape
    (4,)
    """

    k_query = Count()
    alpha = Alpha()
    iterations = Count(most=100_000)
    tolerance = Number(least=0)
    query_vector = Choice(*RULES)

    def __init__(
        self,
        graph: KNNGraph,
        *,
        k_query: int = 10,
        alpha: float = 0.99,
        iterations: int = 20,
        tolerance: float = 1e-6,
        query_vector: str = "formula",
    ) -> None:
        self.graph = as_graph(graph)
        self.k_query, self.alpha, self.iterations = k_query, alpha, iterations
        self.tolerance, self.query_vector = tolerance, query_vector

    def rank(
        self, similarities: ArrayLike, ids: ArrayLike | None = None, k: int = 100
    ) -> Neighbours:
        """The k nodes of the largest scores: scores (q, k), descending, and ids; one query gives (k,).

        similarities : float32 (q, m), or (q, points, m) for queries of several points    of the query to its
            neighbourhood, nearest first, some 1,000 to 10,000, before the power gamma. Or the Neighbours of a search
        ids : int, the same shape    of the neighbourhood's nodes; -1 past the end of a list

        Nodes outside the neighbourhood are not ranked: past its size the ids are -1 and the scores -inf.
        Raises ValueError for ids that no node has.
        """
        return super().rank(similarities, ids, k)

    def _each(
        self, values: NDArray[Any], lists: NDArray[Any]
    ) -> Iterator[tuple[Ids | None, Vectors]]:
        graph, item = self.graph.items()
        first = slice(None, self.k_query)
        sides = query_vectors(
            self.graph, values[..., first], lists[..., first], rule=self.query_vector, items=item
        )
        for row, members in enumerate(lists):
            near = np.unique(members[members >= 0]).astype(np.int64)
            if len(near) == 0:
                yield near, np.empty(0, np.float32)
                continue
            if near[-1] >= len(self.graph):
                raise ValueError(
                    f"ids: expected nodes from 0 to {len(self.graph) - 1} or -1, got {near[-1]}"
                )
            inside, place = near_items(near, item)
            its = slice(sides.starts[row], sides.starts[row + 1])
            scores = diffuse(
                subgraph(graph, inside), np.searchsorted(inside, sides.ids[its]), sides.weights[its],
                self.alpha, self.iterations, self.tolerance,
            )  # fmt: skip
            yield near, scores[place]


def near_items(nodes: Ids, item: Ids | None) -> tuple[Ids, Any]:
    """The items of some nodes, ascending, and where each node's stands among them."""
    if item is None:
        return nodes, slice(None)
    inside, place = np.unique(item[nodes], return_inverse=True)
    return inside, place.reshape(-1)


def subgraph(graph: KNNGraph, nodes: Ids) -> KNNGraph:
    """The graph among some nodes, ascending: node i of it is nodes[i]."""
    lengths = graph.starts[nodes + 1] - graph.starts[nodes]
    ends = np.cumsum(lengths)
    entries = np.arange(ends[-1]) + np.repeat(graph.starts[nodes] - ends + lengths, lengths)
    named = graph.neighbours[entries]
    place = np.minimum(np.searchsorted(nodes, named), len(nodes) - 1)
    kept = nodes[place] == named
    rows = np.repeat(np.arange(len(nodes)), lengths)[kept]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(nodes)))])
    return KNNGraph.from_rows(
        starts, place[kept].astype(np.int32), graph.weights[entries[kept]],
        gamma=graph.gamma, metric=graph.metric, k=graph.k, reciprocal=graph.reciprocal,
    )  # fmt: skip


def diffuse(
    graph: KNNGraph,
    nodes: NDArray[Any],
    weights: NDArray[Any],
    alpha: float,
    iterations: int,
    tolerance: float,
) -> NDArray[np.float32]:
    """Scores of all nodes from one right-hand side, on a graph that is used once."""
    system = _core.graph.FlowGraph(graph.starts, graph.neighbours, graph.normalised())
    scores: NDArray[np.float32] = system.conjugate_gradient(
        np.array([0, len(nodes)]),
        nodes.astype(np.int32),
        np.asarray(weights, np.float32),
        alpha,
        iterations,
        tolerance,
    )[0][0]
    return scores
