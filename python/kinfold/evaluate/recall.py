"""Recall of approximate search. Two measures share the name in the literature; here each has its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_array, as_count


def nearest_recall(ids: Any, truth: Any, r: int = 1) -> float:
    """Recall@R: the fraction of queries whose true nearest neighbour is among the first R answers.

    ids : int (q, k)         answers, best first; -1 past the end
    truth : int (q, m)       true neighbours, nearest first; the first column counts. (q,) is accepted
    r : from 1 to k
    Jegou, Douze & Schmid, PAMI 2011.
    """
    answers, true = _pair(ids, truth)
    r = as_count(r, "r", most=answers.shape[1])
    return float((answers[:, :r] == true[:, :1]).any(axis=1).mean())


def intersection_recall(ids: Any, truth: Any, k: int | None = None) -> float:
    """k-recall@k: the share of the true k nearest neighbours that is among the first k answers.

    ids : int (q, >= k)      answers, best first, each id once a list; -1 past the end
    truth : int (q, >= k)    true neighbours, nearest first
    k : the width of truth if not given
    Aumueller et al., ann-benchmarks, 2020.
    """
    answers, true = _pair(ids, truth)
    k = as_count(true.shape[1] if k is None else k, "k", most=min(answers.shape[1], true.shape[1]))
    hits = 0
    for found, wanted in zip(answers[:, :k], true[:, :k]):
        hits += len(np.intersect1d(found[found >= 0], wanted))
    return hits / (len(true) * k)


def _pair(ids: Any, truth: Any) -> tuple[Ids, Ids]:
    answers, true = as_array(ids, "ids"), as_array(truth, "truth")
    if true.ndim == 1:
        true = true[:, None]
    for array, name in ((answers, "ids"), (true, "truth")):
        if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iu":
            raise ValueError(
                f"{name}: expected ids (q, k), got {array.dtype} of shape {array.shape}"
            )
    if len(answers) != len(true):
        raise ValueError(f"truth: expected {len(answers)} rows, one a query, got {len(true)}")
    if true.min() < 0:
        raise ValueError(f"truth: expected ids >= 0, got {true.min()}")
    return answers.astype(np.int64), true.astype(np.int64)
