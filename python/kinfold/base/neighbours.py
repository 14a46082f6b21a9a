"""Exact nearest neighbours of one-off searches."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold import _core
from kinfold.base.arrays import as_count, as_vectors
from kinfold.base.metrics import as_metric
from kinfold.base.ranking import Neighbours


def exact_neighbours(
    queries: Any, base: Any, k: int, *, metric: str = "l2", threads: int = 0
) -> Neighbours:
    """The k rows of ``base`` nearest to each query, exactly; ties by ascending row.

    queries (n, d), base (m, d) : vectors. metric : "l2" (squared distances) or "ip".
    Returns distances float32 (n, k) and row numbers int64 (n, k), nearest first; +inf (-inf) and -1
    where k > m.
    """
    metric = as_metric(metric, known=("l2", "ip"))
    points = as_vectors(base, "base")
    vectors = as_vectors(queries, "queries", dim=points.shape[1], empty=True)
    # Fewer queries than this do not repay the 8-bit copy of the base.
    scan = _core.scan.ExactScan(points.shape[1], metric, len(vectors) >= 32)
    scan.append(points)
    found = scan.search(points, vectors, as_count(k, "k", most=1 << 24), threads=threads)
    return Neighbours(*found)


def other_neighbours(
    queries: Any, base: Any, own: Any, k: int, *, metric: str = "l2", threads: int = 0
) -> Neighbours:
    """The k rows of ``base`` nearest to each query but for the query's own row, exactly.

    own : int64 (n,)    the row of base that each query is
    Otherwise as exact_neighbours.
    """
    found = exact_neighbours(queries, base, as_count(k, "k") + 1, metric=metric, threads=threads)
    itself = found.ids == np.asarray(own, np.int64)[:, None]
    # Among duplicates it may not be in its own list: then the last goes.
    itself[~itself.any(axis=1), -1] = True
    n = len(itself)
    return Neighbours(found.distances[~itself].reshape(n, k), found.ids[~itself].reshape(n, k))


def self_neighbours(x: Any, k: int, *, metric: str = "l2", threads: int = 0) -> Neighbours:
    """The k nearest others of each row of ``x``, exactly; ties by ascending row.

    The result of other_neighbours for all rows, every pair looked at once: half the work or less.
    """
    metric = as_metric(metric, known=("l2", "ip"))
    points = as_vectors(x, "x")
    distances, rows = _core.neighbours.self_join(
        points, metric, as_count(k, "k", most=1 << 24), threads=threads
    )
    return Neighbours(
        distances if metric == "l2" else np.negative(distances), rows.astype(np.int64)
    )
