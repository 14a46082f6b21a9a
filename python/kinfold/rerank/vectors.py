"""A second look at the answer of an index, which needs vectors alone."""

from __future__ import annotations

from typing import Any

from kinfold.base.arrays import as_array, as_choice, as_count, as_vectors
from kinfold.base.ranking import Ranking
from kinfold.graph.knn import KNNGraph
from kinfold.rerank.pipeline import stage_named, stages_for
from kinfold.rerank.stage import Asked, first_answer

# Those of the catalogue that need no photos.
VECTOR_METHODS = stages_for({"queries", "base", "graph"})


def rerank(
    scores: Any,
    ids: Any,
    method: str,
    *,
    base: Any,
    queries: Any = None,
    graph: KNNGraph | None = None,
    k: int | None = None,
    **options: Any,
) -> Ranking:
    """A better ranking from the first answer of an index.

    scores : float32 (q, m)    cosines of the answer, best first
    ids : int64 (q, m)         rows of base; -1 past the end
    method : "aqe", "alpha-qe", "dba"      search again, by expanded queries or in the augmented base
             "k-reciprocal"                shared k-reciprocal neighbours
             "diffusion", "random-walk"    from the first ``k_query`` (10) answers along ``graph``
    base : float32 (n, d)      the vectors that were searched
    queries : float32 (q, d)   needed by all but diffusion and random walk
    graph : the graph of base; KNNGraph.build(base) if not given
    k : length of the answer; m if not given
    options : of the method: top, alpha; k1, k2, lambda_; alpha, iterations, tolerance, k_query
    Stages follow one another: scores and ids of a Ranking are the next one's first answer.
    """
    method = as_choice(method, "method", VECTOR_METHODS)
    points = as_vectors(base, "base")
    values, lists = first_answer(scores, ids, len(as_array(ids, "ids")), len(points))
    k = lists.shape[1] if k is None else as_count(k, "k")
    stage = stage_named(method, {"k": k, **options})
    ranking = Ranking(scores=values, ids=lists)
    if "graph" in stage.needs:
        graph = KNNGraph.build(points) if graph is None else graph
        return stage(Asked(graph=graph), ranking)
    if queries is None:
        raise ValueError(f"queries: expected the vectors of the queries, which {method} needs")
    asked = as_vectors(queries, "queries", dim=points.shape[1])
    if len(asked) != len(lists):
        raise ValueError(f"queries: expected {len(lists)}, one a list of ids, got {len(asked)}")
    return stage(Asked(queries=asked, base=points), ranking)
