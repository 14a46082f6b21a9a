"""Re-ranking by geometry: photos that show the same thing in the same arrangement come first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_count, as_ids, as_number
from kinfold.base.local_features import LocalFeatures
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import Verification, verify_many

# Photos between two looks at the clock.
_BATCH = 16


def spatial_rerank(
    query: LocalFeatures,
    ids: Any,
    get_features: Callable[[int], LocalFeatures],
    *,
    least_inliers: int = 6,
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
