"""Vectors averaged with what they found: query expansion, and the same for the database.

All functions scale vectors to length one first and last, so that similarities are cosines.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_count, as_number, as_vectors
from kinfold.base.neighbours import exact_neighbours, self_neighbours
from kinfold.base.ranking import Ranking
from kinfold.index.base import unit_rows
from kinfold.rerank.stage import Asked, again


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


class _SearchAgain:
    """Stages that search again: for as many as there were, or k."""

    needs: ClassVar = frozenset({"queries", "base"})

    def __init__(self, *, k: int | None = None, **options: Any) -> None:
        self._k, self._options = k, options

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranking:
        k = ranking.ids.shape[1] if self._k is None else as_count(self._k, "k")
        queries, base = self._vectors(asked, asked.rows(ranking.ids))
        near = exact_neighbours(queries, base, k, metric="ip")
        better = Ranking.from_neighbours(near, metric="ip")
        return again(ranking, Ranking(scores=better.scores, ids=asked.named(better.ids)))

    def _vectors(self, asked: Asked, ids: Ids) -> tuple[Vectors, Vectors]:
        """Queries and base to search with, of length one; ids are those of the answer, as rows of base."""
        raise NotImplementedError


class AverageExpansionStage(_SearchAgain):
    """Search again with each query and its first answers averaged."""

    expand: ClassVar = staticmethod(average_query_expansion)

    def _vectors(self, asked: Asked, ids: Ids) -> tuple[Vectors, Vectors]:
        queries, base = asked.need("queries"), asked.need("base")
        return self.expand(queries, base, ids, **self._options), unit_rows(base)


class AlphaExpansionStage(AverageExpansionStage):
    """Search again with each query and its first answers, weighed by a power of their similarity."""

    expand = staticmethod(alpha_query_expansion)


class AugmentationStage(_SearchAgain):
    """Search again among vectors that are averaged with their neighbours."""

    def _vectors(self, asked: Asked, ids: Ids) -> tuple[Vectors, Vectors]:
        base = database_augmentation(asked.need("base"), **self._options)
        return unit_rows(asked.need("queries")), base
