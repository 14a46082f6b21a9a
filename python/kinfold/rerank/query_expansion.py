"""Vectors averaged with what they found: query expansion, and the same for the database.

All functions scale vectors to length one first and last, so that similarities are cosines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_count, as_number, as_vectors
from kinfold.base.neighbours import self_neighbours
from kinfold.index.base import unit_rows


def average_query_expansion(queries: Any, base: Any, ids: Any, *, top: int = 10) -> Vectors:
    """New queries: the mean of each and its first ``top`` answers, to search with again.

    queries : float32 (q, d); base : float32 (n, d)
    ids : int64 (q, k)    the first answer, rows of base, best first; -1 past the end
    Returns float32 (q, d) of length one. Chum et al., ICCV 2007.
    """
    return alpha_query_expansion(queries, base, ids, top=top, alpha=0.0)


def alpha_query_expansion(
    queries: Any, base: Any, ids: Any, *, top: int = 50, alpha: float = 3.0
) -> Vectors:
    """New queries: each answer counts by the power ``alpha`` of its similarity, the query by 1.

    Arguments and result as of average_query_expansion, which is alpha = 0.
    Radenovic, Tolias & Chum, PAMI 2019, section 3.3.
    """
    points = as_vectors(base, "base")
    vectors = as_vectors(queries, "queries", dim=points.shape[1])
    top, alpha = as_count(top, "top", least=0), as_number(alpha, "alpha", least=0)
    lists = as_array(ids, "ids")
    if lists.ndim != 2 or len(lists) != len(vectors) or lists.dtype.kind not in "iu":
        raise ValueError(
            f"ids: expected ids ({len(vectors)}, k), got {lists.dtype} of shape {lists.shape}"
        )
    if lists.size and (lists.max() >= len(points) or lists.min() < -1):
        bad = lists.max() if lists.max() >= len(points) else lists.min()
        raise ValueError(f"ids: expected rows of base, 0 to {len(points) - 1} or -1, got {bad}")
    return _expand(unit_rows(vectors), points, lists[:, :top].astype(np.int64), alpha)


def database_augmentation(base: Any, *, top: int = 10, alpha: float = 0.0) -> Vectors:
    """Each database vector averaged with its ``top`` nearest others, weighed as for queries.

    base : float32 (n, d). Returns float32 (n, d) of length one.
    Turcot & Lowe, ICCV workshops 2009; with alpha > 0 Gordo et al., IJCV 2017.
    """
    top, alpha = as_count(top, "top", least=0), as_number(alpha, "alpha", least=0)
    points = unit_rows(as_vectors(base, "base"))
    if top == 0 or len(points) == 1:
        return points
    lists = self_neighbours(points, min(top, len(points) - 1), metric="ip").ids
    return _expand(points, points, lists, alpha)


def _expand(queries: Vectors, points: Vectors, lists: Ids, alpha: float) -> Vectors:
    expanded = queries.copy()
    for row, ids in enumerate(lists):
        near = unit_rows(points[ids[ids >= 0]])
        weights = np.maximum(near @ queries[row], 0) ** np.float32(alpha)
        expanded[row] += weights @ near
    return unit_rows(expanded)
