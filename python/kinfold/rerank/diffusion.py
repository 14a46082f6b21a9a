"""Second look along the manifold: from a first answer to a ranking by diffusion, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_count
from kinfold.base.ranking import Ranking, ids_in_front
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.flow import Flow
from kinfold.graph.knn import GraphPath, KNNGraph


def diffusion_rerank(
    graph: KNNGraph,
    similarities: Any,
    ids: Any,
    *,
    alpha: float = 0.99,
    k_query: int = 10,
    iterations: int = 20,
    tolerance: float = 1e-6,
    k: int | None = None,
) -> Ranking:
    """Rank by diffusion from the first neighbours of each query.

    graph : KNNGraph of the database
    similarities : float32 (q, m), or (m,) for one query    of the query to the nodes of its first
        answer, in the graph's metric, best first
    ids : int64, the same shape    these nodes; -1 past the end
    k_query : how many of the first answer the diffusion starts from
    k : length of the answer; m if not given
    Returns a Ranking (q, k). Nodes that the diffusion reaches come first, whether or not they were in
    the first answer; then what else the first answer held, in its order, with score 0.
    Iscen et al., CVPR 2017 (k_query = 10, alpha = 0.99, at most 20 iterations).
    """
    diffusion = Diffusion(graph, alpha=alpha, iterations=iterations, tolerance=tolerance)
    return flow_rerank(diffusion, similarities, ids, k_query=k_query, k=k)


def flow_rerank(
    flow: Flow, similarities: Any, ids: Any, *, k_query: int = 10, k: int | None = None
) -> Ranking:
    """The same with any flow on a graph: a Diffusion or a RandomWalk with its own settings."""
    values, lists = _lists(similarities, ids)
    k_query = as_count(k_query, "k_query")
    k = lists.shape[1] if k is None else as_count(k, "k")
    scores, nodes = flow.rank(similarities=values[:, :k_query], ids=lists[:, :k_query], k=k)
    reached = (nodes >= 0) & (scores > 0)
    for row, (kept, first) in enumerate(zip(reached, lists)):
        near = nodes[row, kept]
        rest = first[(first >= 0) & ~np.isin(first, near)][: k - len(near)]
        filled = len(near) + len(rest)
        scores[row, : len(near)] = scores[row, kept]
        scores[row, len(near) :] = -np.inf
        scores[row, len(near) : filled] = 0
        nodes[row] = -1
        nodes[row, : len(near)], nodes[row, len(near) : filled] = near, rest
    return Ranking(scores=scores, ids=nodes)


def explain(
    graph: KNNGraph,
    similarities: Any,
    ids: Any,
    target: int,
    *,
    k_query: int = 10,
    kind: str = "bottleneck",
) -> GraphPath:
    """The chain of photos along the graph that leads from a query to one of its results.

    similarities, ids : (m,)    the first answer of one query, as for diffusion_rerank
    kind : "bottleneck", "geodesic" or "geodesic-linear", see KNNGraph.path
    Returns the nodes, the target last, and the similarity of the step to each: the first is that of
    the query to the first node. Empty where no chain leads there.
    """
    values, lists = _lists(similarities, ids)
    if len(lists) != 1:
        raise ValueError(f"ids: expected the answer of one query, got shape {lists.shape}")
    near, near_values = lists[0, : as_count(k_query, "k_query")], values[0, :k_query]
    present = near >= 0
    return graph.path(near[present], target, kind, source_similarities=near_values[present])


def _lists(similarities: Any, ids: Any) -> tuple[Vectors, Ids]:
    lists = np.atleast_2d(as_array(ids, "ids"))
    values = np.atleast_2d(as_array(similarities, "similarities"))
    if ids_in_front(values, lists):
        lists, values = values, lists
    if lists.ndim != 2 or lists.shape[1] == 0 or lists.dtype.kind not in "iu":
        raise ValueError(f"ids: expected ids (q, k), got {lists.dtype} of shape {np.shape(ids)}")
    if lists.shape != values.shape:
        raise ValueError(
            f"similarities: expected the shape of ids {np.shape(ids)}, got {np.shape(similarities)}"
        )
    return values.astype(np.float32), lists.astype(np.int64)
