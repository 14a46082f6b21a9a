"""Re-ranking by shared k-reciprocal neighbours: two photos are alike that are in each other's company."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count, as_number, as_vectors
from kinfold.base.copies import first_copies
from kinfold.base.neighbours import exact_neighbours, self_neighbours
from kinfold.base.ranking import Ranking
from kinfold.index.base import unit_rows
from kinfold.rerank.stage import Asked, again, first_answer

# Rows handled at once: bounds the comparisons of lists with lists.
_BLOCK = 128

_Weights = NDArray[np.float64]


class _Rows(NamedTuple):
    """Sparse rows: row i has columns[starts[i]:starts[i + 1]], ascending, with their values."""

    starts: Ids
    columns: Ids
    values: _Weights


def k_reciprocal_rerank(
    scores: Any,
    ids: Any,
    *,
    queries: Any,
    base: Any,
    k1: int = 20,
    k2: int = 6,
    lambda_: float = 0.3,
    k: int | None = None,
) -> Ranking:
    """Rank by the Jaccard distance of k-reciprocal neighbourhoods, blended with the first distance.

    scores : float32 (q, m); ids : int64 (q, m)    the first answer, rows of base; -1 past the end
    queries : float32 (q, d); base : float32 (n, d)    scaled to length one here
    k1 : neighbours of a row. Every list begins with the row itself, then its k1 nearest others: the
        "k1 + 1" of the released code. Halves are round(k1 / 2) others, rounded to even
    k2 : rows whose neighbourhoods are averaged, the row itself counted: 1 leaves them as they are
    lambda_ : the share of the first distance (squared, over the largest from that row)
    k : length of the answer; m if not given
    Returns a Ranking (q, k) of what the first answer holds and what shares a neighbour with the query;
    scores are 1 - distance. Queries belong to the set, as published: other queries are neighbours too.
    Rows of base that are equal count as one neighbour, so that copies are not torn apart; all are in the answer.
    Memory grows with (n + q) k1, not with n**2. Zhong, Zheng, Cao & Li, CVPR 2017.
    """
    points = as_vectors(base, "base")
    asked = as_vectors(queries, "queries", dim=points.shape[1])
    _, lists = first_answer(scores, ids, len(asked), len(points))
    k1, k2 = as_count(k1, "k1"), as_count(k2, "k2")
    share = as_number(lambda_, "lambda_", least=0, most=1)
    k = lists.shape[1] if k is None else as_count(k, "k")
    q, unit = len(asked), unit_rows(points)
    first = first_copies(unit)
    kept = np.flatnonzero(first == np.arange(len(points)))
    place = np.cumsum(first == np.arange(len(points)))[first] - 1
    by_place = np.argsort(place, kind="stable")
    starts = _starts(place, len(kept))
    x = np.concatenate([unit_rows(asked), unit[kept]])

    others = self_neighbours(x, min(max(k1, k2 - 1), len(x) - 1) or 1, metric="l2").ids
    near = np.concatenate([np.arange(len(x))[:, None], np.maximum(others, 0)], axis=1)
    largest = _largest(x)
    weights = _average(_neighbourhoods(x, near[:, : k1 + 1], k1, largest), near[:, :k2])
    by_column = _transposed(weights, len(x))
    shared = np.zeros(len(x))
    out_ids = np.full((q, k), -1, np.int64)
    out_scores = np.full((q, k), -np.inf, np.float32)
    for row in range(q):
        shared[:] = 0
        reached = _overlap(weights, by_column, row, shared)
        listed = lists[row][lists[row] >= 0]
        copies, _ = _segments(starts, reached[reached >= q] - q)
        rows = np.union1d(listed, by_place[copies])
        nodes = place[rows] + q
        overlap = shared[nodes]
        distance = _squared(x[row], x[nodes]) / largest[row]
        blend = (1 - overlap / (2 - overlap)) * (1 - share) + distance * share
        order = np.lexsort((rows, blend))[:k]
        out_ids[row, : len(order)] = rows[order]
        out_scores[row, : len(order)] = 1 - blend[order]
    return Ranking(scores=out_scores, ids=out_ids)


class KReciprocalStage:
    """By neighbours that are each other's, shared with the query."""

    needs: ClassVar = frozenset({"queries", "base"})

    def __init__(self, **options: Any) -> None:
        self._options = options

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranking:
        rows = asked.rows(ranking.ids)
        vectors = {name: asked.need(name) for name in self.needs}
        better = k_reciprocal_rerank(ranking.scores, rows, **vectors, **self._options)
        return again(ranking, Ranking(scores=better.scores, ids=asked.named(better.ids)))


def _squared(a: Vectors, b: Vectors) -> _Weights:
    difference = a.astype(np.float64) - b
    return np.asarray(np.einsum("...j,...j->...", difference, difference))


def _largest(x: Vectors) -> _Weights:
    """The largest squared distance from each row to any."""
    farthest = exact_neighbours(-x, x, 1, metric="ip").ids[:, 0]
    found = _squared(x, x[farthest])
    return np.where(found > 0, found, 1.0)


def _mutual(near: Ids, width: int) -> NDArray[np.bool_]:
    """Which of each row's first ``width`` entries hold the row among their own first."""
    found = np.empty((len(near), min(width, near.shape[1])), bool)
    for at in range(0, len(near), _BLOCK):
        lists = near[at : at + _BLOCK, :width]
        rows = np.arange(at, at + len(lists))
        found[at : at + len(lists)] = (near[lists, :width] == rows[:, None, None]).any(axis=2)
    return found


def _neighbourhoods(x: Vectors, near: Ids, k1: int, largest: _Weights) -> _Rows:
    """Weights exp(-d) over the expanded reciprocal neighbours of each row, which add up to one."""
    half = round(k1 / 2) + 1
    mutual, mutual_half = _mutual(near, k1 + 1), _mutual(near, half)
    pairs = []
    for at in range(0, len(near), _BLOCK):
        lists, kept = near[at : at + _BLOCK], mutual[at : at + _BLOCK]
        rows = np.arange(at, at + len(lists))
        # The reciprocal neighbours of each candidate, by half; how many are the row's own?
        theirs, theirs_kept = near[lists, :half], mutual_half[lists]
        own = np.where(kept, lists, -1)
        common = (theirs[..., None] == own[:, None, None, :]).any(axis=3) & theirs_kept
        size = theirs_kept.sum(axis=2)
        joins = kept & (common.sum(axis=2) > 2 / 3 * size)
        taken = theirs_kept & joins[..., None]
        row_of = np.broadcast_to(rows[:, None, None], theirs.shape)
        pairs.append(np.stack([row_of[taken], theirs[taken]], axis=1))
        pairs.append(np.stack([np.broadcast_to(rows[:, None], lists.shape)[kept], lists[kept]], 1))
    keys = np.unique(np.concatenate([p[:, 0] * len(near) + p[:, 1] for p in pairs]))
    rows, columns = np.divmod(keys, len(near))
    distances = np.concatenate(
        [
            _squared(x[rows[at : at + 65536]], x[columns[at : at + 65536]])
            for at in range(0, len(rows), 65536)
        ]
    )
    values = np.exp(-distances / largest[rows])
    values /= np.bincount(rows, weights=values, minlength=len(near))[rows]
    return _Rows(_starts(rows, len(near)), columns, values)


def _starts(rows: Ids, n: int) -> Ids:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)


def _segments(starts: Ids, which: Ids) -> tuple[Ids, Ids]:
    """The entries of some rows, one row after the other, and how many each has."""
    counts = starts[which + 1] - starts[which]
    offsets = np.repeat(starts[which] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return offsets + np.arange(counts.sum()), counts


def _average(weights: _Rows, near: Ids) -> _Rows:
    """Each row becomes the mean of the rows of its list: local query expansion."""
    if near.shape[1] == 1:
        return weights
    keys, values, n = [], [], len(near)
    for at in range(0, n, _BLOCK):
        lists = near[at : at + _BLOCK]
        entries, counts = _segments(weights.starts, lists.ravel())
        rows = np.repeat(np.repeat(np.arange(at, at + len(lists)), near.shape[1]), counts)
        key, place = np.unique(rows * n + weights.columns[entries], return_inverse=True)
        keys.append(key)
        values.append(np.bincount(place, weights=weights.values[entries]) / near.shape[1])
    rows, columns = np.divmod(np.concatenate(keys), n)
    return _Rows(_starts(rows, n), columns, np.concatenate(values))


def _transposed(weights: _Rows, n: int) -> _Rows:
    order = np.argsort(weights.columns, kind="stable")
    rows = np.repeat(np.arange(n), np.diff(weights.starts))
    return _Rows(_starts(weights.columns, n), rows[order], weights.values[order])


def _overlap(weights: _Rows, by_column: _Rows, row: int, shared: _Weights) -> Ids:
    """Adds sum_j min(V_row,j, V_g,j) to shared[g]; returns the rows g that it reaches."""
    own = slice(weights.starts[row], weights.starts[row + 1])
    entries, counts = _segments(by_column.starts, weights.columns[own])
    least = np.minimum(np.repeat(weights.values[own], counts), by_column.values[entries])
    rows = by_column.columns[entries]
    np.add.at(shared, rows, least)
    return np.unique(rows)
