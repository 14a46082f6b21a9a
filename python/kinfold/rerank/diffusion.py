"""Second look along the manifold: from a first answer to a ranking by diffusion, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_count
from kinfold.base.ranking import Ranking
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.flow import Flow
from kinfold.graph.knn import GraphPath, KNNGraph


def diffusion_rerank(
    graph: KNNGraph,
    ids: Any,
    similarities: Any,
    *,
    alpha: float = 0.99,
    k_query: int = 10,
    iterations: int = 20,
    tolerance: float = 1e-6,
    k: int | None = None,
) -> Ranking:
    """Rank by diffusion from the first neighbours of each query.

    graph : KNNGraph of the database
    ids : int64 (q, m), or (m,) for one query     first answer: nodes of the graph, best first; -1
        past the end
    similarities : float32, the same shape        of the query to these nodes, in the graph's metric
    k_query : how many of the first answer the diffusion starts from
    k : length of the answer; m if not given
    Returns a Ranking (q, k). Nodes that the diffusion reaches come first, whether or not they were in
    the first answer; then what else the first answer held, in its order, with score 0.
    Iscen et al., CVPR 2017 (k_query = 10, alpha = 0.99, at most 20 iterations).
    """
    diffusion = Diffusion(graph, alpha=alpha, iterations=iterations, tolerance=tolerance)
    return flow_rerank(diffusion, ids, similarities, k_query=k_query, k=k)


def flow_rerank(
    flow: Flow, ids: Any, similarities: Any, *, k_query: int = 10, k: int | None = None
) -> Ranking:
    """The same with any flow on a graph: a Diffusion or a RandomWalk with its own settings."""
    lists, values = _lists(ids, similarities)
    k_query = as_count(k_query, "k_query")
    k = lists.shape[1] if k is None else as_count(k, "k")
    scores, nodes = flow.rank(lists[:, :k_query], values[:, :k_query], k)
    reached = (nodes >= 0) & (scores > 0)
    for row, (kept, first) in enumerate(zip(reached, lists)):
        found = nodes[row, kept]
        rest = first[(first >= 0) & ~np.isin(first, found)][: k - len(found)]
        filled = len(found) + len(rest)
        scores[row, : len(found)] = scores[row, kept]
        scores[row, len(found) :] = -np.inf
        scores[row, len(found) : filled] = 0
        nodes[row] = -1
        nodes[row, : len(found)], nodes[row, len(found) : filled] = found, rest
    return Ranking(nodes, scores)


def explain(
    graph: KNNGraph,
    ids: Any,
    similarities: Any,
    target: int,
    *,
    k_query: int = 10,
    kind: str = "bottleneck",
) -> GraphPath:
    """The chain of photos along the graph that leads from a query to one of its results.

    ids, similarities : (m,)    the first answer of one query, as for diffusion_rerank
    kind : "bottleneck", "geodesic" or "geodesic-linear", see KNNGraph.path
    Returns the nodes, the target last, and the similarity of the step to each: the first is that of
    the query to the first node. Empty where no chain leads there.
    """
    lists, values = _lists(ids, similarities)
    if len(lists) != 1:
        raise ValueError(f"ids: expected the answer of one query, got shape {lists.shape}")
    near, near_values = lists[0, : as_count(k_query, "k_query")], values[0, :k_query]
    present = near >= 0
    return graph.path(near[present], target, kind, source_similarities=near_values[present])


def _lists(ids: Any, similarities: Any) -> tuple[Ids, Vectors]:
    lists = np.atleast_2d(as_array(ids, "ids"))
    values = np.atleast_2d(as_array(similarities, "similarities"))
    if lists.ndim != 2 or lists.shape[1] == 0 or lists.dtype.kind not in "iu":
        raise ValueError(f"ids: expected ids (q, k), got {lists.dtype} of shape {np.shape(ids)}")
    if lists.shape != values.shape:
        raise ValueError(
            f"similarities: expected the shape of ids {np.shape(ids)}, got {np.shape(similarities)}"
        )
    return lists.astype(np.int64), values.astype(np.float32)
