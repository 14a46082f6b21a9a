"""Average precision of one ranked list, by every convention that the field uses.

With t positives among the first k, precision is p = t / k and recall r = t / n, where n counts all
positives of the query, retrieved or not. What is never retrieved contributes 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_array, as_choice, as_count, as_ids


def positive_ranks(ranked_ids: Any, positives: Any, junk: Any = ()) -> Ids:
    """Zero-based ranks of the positives after junk is deleted from the list.

    ranked_ids : int (k,)    each id once; -1 marks the end of a short list and is passed over
    positives, junk : int    ids; the two must not overlap
    Returns int64 (found,), ascending; positives that the list lacks have no rank.
    Raises ValueError where an id stands twice in the list, or is positive and junk at once.
    """
    ranked = _ranked(ranked_ids)
    wanted, ignored = _id_set(positives, "positives"), _id_set(junk, "junk")
    both = np.intersect1d(wanted, ignored)
    if len(both):
        raise ValueError(f"junk: expected no positives, got {both[0]} in both")
    kept = ranked[~np.isin(ranked, ignored)]
    return np.flatnonzero(np.isin(kept, wanted)).astype(np.int64)


def average_precision(
    ranked_ids: Any,
    positives: Any,
    junk: Any = (),
    *,
    convention: str = "trapezoid",
    list_capped: bool = False,
) -> float:
    """Average precision of one ranked list, from 0 to 1; NaN for a query without positives.

    ranked_ids : int (k,)    best first, each id once; -1 past the end
    positives : int (n,)     all ids that should be found
    junk : int               ids that are deleted from the list before ranks are counted
    convention :
        "trapezoid"     Oxford's compute_ap, also the revisited and the Holidays scripts: the mean of
                        the precision just before and at each positive (Philbin et al. 2007)
        "finite_sum"    the mean over positives of the precision at their ranks
        "interpolated"  the same with the filled-in curve: precision at r is the best at any r' >= r
        "eleven_point"  the filled-in curve at recall 0, 0.1, ..., 1 (PASCAL VOC 2007)
        "map_at_r"      the finite sum over the first n ranks alone (Musgrave et al. 2020)
    list_capped : count as positives only those inside the list. Inflates the score of a truncated
        list; for comparison with code that does so.
    """
    as_choice(convention, "convention", CONVENTIONS)
    ranks = positive_ranks(ranked_ids, positives, junk)
    n = len(ranks) if list_capped else len(_id_set(positives, "positives"))
    return from_ranks(ranks, n, convention=convention)


def from_ranks(ranks: Ids, n: int, *, convention: str = "trapezoid") -> float:
    """Average precision from the zero-based ranks of the positives and their full number n."""
    measure = CONVENTIONS[as_choice(convention, "convention", CONVENTIONS)]
    return float(measure(ranks, n)) if n else float("nan")


def precision_at(ranks: Ids, k: int) -> float:
    """P@k of the revisited protocol: k is capped at the rank of the last positive in the list.

    ranks : int64 (found,)    zero-based ranks of the positives, junk deleted, ascending
    Returns 0 for a list without positives. Radenovic et al., CVPR 2018.
    """
    as_count(k, "k")
    if len(ranks) == 0:
        return 0.0
    depth = min(k, int(ranks[-1]) + 1)
    return float(np.count_nonzero(ranks < depth) / depth)


def _ranked(ranked_ids: Any) -> Ids:
    ids = as_array(ranked_ids, "ranked_ids")
    if ids.dtype.kind in "iu" and ids.ndim == 1:
        ids = ids[ids != -1]
    ids = as_ids(ids, "ranked_ids")
    _refuse_twice(ids, "ranked_ids")
    return ids


def _id_set(x: Any, name: str) -> Ids:
    ids = as_ids(x, name)
    _refuse_twice(ids, name)
    return ids


def _refuse_twice(ids: Ids, name: str) -> None:
    ordered = np.sort(ids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise ValueError(f"{name}: expected each id once, got {twice[0]} more than once")


def _precisions(ranks: Ids) -> Any:
    return np.arange(1, len(ranks) + 1) / (ranks + 1)


def _filled_in(ranks: Ids) -> Any:
    """The best precision at this or any later positive."""
    return np.maximum.accumulate(_precisions(ranks)[::-1])[::-1]


def _finite_sum(ranks: Ids, n: int) -> float:
    return float(_precisions(ranks).sum()) / n


def _trapezoid(ranks: Ids, n: int) -> float:
    before = np.where(ranks == 0, 1.0, np.arange(len(ranks)) / np.maximum(ranks, 1))
    return float((before + _precisions(ranks)).sum()) / (2 * n)


def _interpolated(ranks: Ids, n: int) -> float:
    return float(_filled_in(ranks).sum()) / n


def _eleven_point(ranks: Ids, n: int) -> float:
    # The first positive whose recall reaches tenths / 10, in whole numbers: 0.1 is no binary fraction.
    first = np.maximum(-(-np.arange(11) * n // 10) - 1, 0)
    curve = np.append(_filled_in(ranks), np.zeros(n - len(ranks)))
    return float(curve[first].mean())


def _map_at_r(ranks: Ids, n: int) -> float:
    return float(_precisions(ranks)[ranks < n].sum()) / n


CONVENTIONS: dict[str, Callable[[Ids, int], float]] = {
    "trapezoid": _trapezoid,
    "finite_sum": _finite_sum,
    "interpolated": _interpolated,
    "eleven_point": _eleven_point,
    "map_at_r": _map_at_r,
}
