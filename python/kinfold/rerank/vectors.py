"""Second looks that need vectors alone, all with one interface: an answer in, a better one out."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_choice, as_count, as_vectors
from kinfold.base.neighbours import exact_neighbours
from kinfold.base.ranking import Ranking
from kinfold.base.registry import resolve
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.graph.random_walk import RandomWalk
from kinfold.index.base import unit_rows
from kinfold.rerank import METHODS
from kinfold.rerank.diffusion import flow_rerank

_FLOWS = {"diffusion": Diffusion, "random-walk": RandomWalk}
# Those of the catalogue that need no photos.
VECTOR_METHODS = ("aqe", "alpha-qe", "dba", "k-reciprocal", *_FLOWS)


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
    lists, values = first_answer(scores, ids, len(as_array(ids, "ids")), len(points))
    k = lists.shape[1] if k is None else as_count(k, "k")
    if method in _FLOWS:
        graph = KNNGraph.build(points) if graph is None else graph
        k_query = options.pop("k_query", 10)
        return flow_rerank(_FLOWS[method](graph, **options), lists, values, k_query=k_query, k=k)
    if queries is None:
        raise ValueError(f"queries: expected the vectors of the queries, which {method} needs")
    asked = as_vectors(queries, "queries", dim=points.shape[1])
    if len(asked) != len(lists):
        raise ValueError(f"queries: expected {len(lists)}, one a list of ids, got {len(asked)}")
    function = resolve(METHODS[method])
    if method == "k-reciprocal":
        ranking: Ranking = function(values, lists, queries=asked, base=points, k=k, **options)
        return ranking
    if method == "dba":
        points, asked = function(points, **options), unit_rows(asked)
    else:
        asked = function(asked, points, lists, **options)
        points = unit_rows(points)
    return Ranking.from_neighbours(exact_neighbours(asked, points, k, metric="ip"), metric="ip")


def first_answer(scores: Any, ids: Any, queries: int, n: int) -> tuple[Ids, Vectors]:
    """The first answer of some queries over n vectors, checked.

    Returns ids int64 (q, m), -1 past the end, and scores float32 (q, m).
    """
    lists, values = as_array(ids, "ids"), as_array(scores, "scores")
    if lists.ndim != 2 or len(lists) != queries or lists.dtype.kind not in "iu":
        raise ValueError(
            f"ids: expected ids ({queries}, m), got {lists.dtype} of shape {lists.shape}"
        )
    if values.shape != lists.shape:
        raise ValueError(f"scores: expected the shape of ids {lists.shape}, got {values.shape}")
    if lists.size and (lists.max() >= n or lists.min() < -1):
        bad = lists.max() if lists.max() >= n else lists.min()
        raise ValueError(f"ids: expected rows of base, 0 to {n - 1} or -1, got {bad}")
    if np.isnan(values[lists >= 0]).any():
        raise ValueError("scores: expected numbers, got NaN")
    return lists.astype(np.int64), values.astype(np.float32)
