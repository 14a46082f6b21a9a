"""Re-ranking by geometry: photos that show the same thing in the same arrangement come first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, as_count, as_ids, as_number
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Ranking
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import Verification, verify_many
from kinfold.rerank.stage import Asked, Ranked, RankedList

# Fewer inliers prove nothing.
LEAST_INLIERS = 6
# Photos between two looks at the clock.
_BATCH = 16


def spatial_rerank(
    query: LocalFeatures,
    ids: Any,
    get_features: Callable[[int], LocalFeatures],
    *,
    least_inliers: int = LEAST_INLIERS,
    top: int = 100,
    seconds: float | None = None,
    match_options: dict[str, Any] | None = None,
    verify_options: dict[str, Any] | None = None,
) -> tuple[Ids, list[Verification | None]]:
    """Verify the first ``top`` of a ranked list and put those with enough inliers first, by inliers.

    The others keep their order behind them: the result is a permutation of ``ids`` (Philbin et al. 2007).
    seconds : start no further photos after this time; the first ones are always verified. Given enough time, the
        answer does not depend on it
    Returns the ids in their new order, and for each its verification (None where it was not verified).
    """
    order = as_ids(ids, "ids")
    as_count(least_inliers, "least_inliers", least=0)
    short = order[: as_count(top, "top", least=0)]
    limit = np.inf if seconds is None else as_number(seconds, "seconds", least=0.0)
    began = time.perf_counter()
    prepared = prepare(query)
    found: list[Verification] = []
    for at in range(0, len(short), _BATCH):
        if at and time.perf_counter() - began > limit:
            break
        photos = [get_features(int(i)) for i in short[at : at + _BATCH]]
        pairs = match_many(prepared, photos, **(match_options or {}))
        found += verify_many(query, photos, pairs, **(verify_options or {}))
    inliers = np.array([v.inliers for v in found], np.int64)
    passed = np.flatnonzero(inliers >= least_inliers)
    first = passed[np.argsort(-inliers[passed], kind="stable")]
    rest = np.setdiff1d(np.arange(len(order)), first)
    rows = np.concatenate([first, rest])
    verified: list[Verification | None] = [found[r] if r < len(found) else None for r in rows]
    return order[rows], verified


class SpatialStage:
    """Verified photos first, by their inliers.

    The score of the others stays. What an earlier stage verified is known.

    top : how many of the answer are verified
    seconds : start no further photos after this time; None for all of ``top``
    least_inliers : fewer prove nothing
    """

    needs: ClassVar = frozenset({"local", "features"})

    def __init__(
        self,
        *,
        top: int = 100,
        seconds: float | None = None,
        least_inliers: int = LEAST_INLIERS,
    ) -> None:
        self._top = as_count(top, "top")
        self._seconds = seconds
        self._least = as_count(least_inliers, "least_inliers", least=1)

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranked:
        lists = Ranked.of(ranking).lists
        return Ranked.joined([self.verified(asked, i, one) for i, one in enumerate(lists)])

    def verified(self, asked: Asked, query: int, ranked: RankedList) -> RankedList:
        """The list of one query, its first photos verified."""
        fresh = np.array([i for i in ranked.ids[: self._top] if int(i) not in ranked.verified], int)
        order, looked = spatial_rerank(
            asked.need("local")[query],
            fresh,
            asked.need("features"),
            top=self._top,
            seconds=self._seconds,
        )
        new = {int(i): v for i, v in zip(order, looked) if v is not None}
        ranked = replace(ranked, verified={**ranked.verified, **new})
        # Behind the verified ones scores go on as they were; the inliers come on top of the largest.
        best = float(ranked.scores.max(initial=0))
        inliers = ranked.inliers(ranked.ids)
        passed = np.flatnonzero(inliers >= self._least)
        first = passed[np.argsort(-inliers[passed], kind="stable")]
        rows = np.concatenate([first, np.setdiff1d(np.arange(len(ranked.ids)), first)])
        scores = np.where(inliers >= self._least, best + inliers, ranked.scores)
        return replace(ranked, ids=ranked.ids[rows], scores=scores[rows].astype(np.float32))
