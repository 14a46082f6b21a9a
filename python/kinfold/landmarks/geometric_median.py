"""The point with the least sum of distances to some others: one that is far away moves it little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_ids

# Steps of Weiszfeld's iteration at most, and of what share of the points' spread one may be to be the last.
_STEPS, _STILL = 100, 1e-6


def geometric_median(points: Any, groups: Any = None, weights: Any = None) -> NDArray[np.float64]:
    """The geometric median of each of several sets of points, all at once: float64 (g, d).

    points : (m, d)
    groups : int (m,), the set of each point, from 0; sets without points have NaN. None for one set
    weights : (m,) above 0; None for all alike
    Weiszfeld's iteration (1937) from the weighted mean, distances no less than a millionth of the set's spread, so that
    it neither divides by nothing nor stays on a point that is not the median (Vardi & Zhang 2000 say when it would).
    Of two points alike in weight, where all between them are medians, it is the middle.
    """
    x = as_array(points, "points").astype(np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"points: expected finite numbers (m, d), got shape {x.shape}")
    of = np.zeros(len(x), np.int64) if groups is None else as_ids(groups, "groups", n=len(x))
    w = np.ones(len(x)) if weights is None else as_array(weights, "weights").astype(np.float64)
    if w.shape != (len(x),) or not np.isfinite(w).all() or (w <= 0).any():
        raise ValueError(f"weights: expected a number above 0 for each of {len(x)} points")
    count = int(of.max()) + 1 if len(of) else int(groups is None)
    median = _mean(x, w, of, count)
    spread = np.zeros(count)
    np.maximum.at(spread, of, np.linalg.norm(x - median[of], axis=1))
    least = np.where(spread > 1e-290, 1e-6 * spread, 1.0)
    for _ in range(_STEPS):
        distance = np.linalg.norm(x - median[of], axis=1)
        better = _mean(x, w / np.maximum(distance, least[of]), of, count)
        step = np.linalg.norm(better - median, axis=1)
        median = better
        if not (step > _STILL * spread).any():
            break
    return median


def _mean(
    x: NDArray[np.float64], w: NDArray[np.float64], of: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Weighted means by group."""
    total = np.bincount(of, w, count)
    sums = np.stack([np.bincount(of, w * column, count) for column in x.T], 1)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = sums / total[:, None]
    return means
