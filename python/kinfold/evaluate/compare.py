"""Is one run better than another, or is it the choice of queries?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinfold.base.arrays import as_count, as_number
from kinfold.base.random import generator
from kinfold.evaluate.protocols import Evaluation


@dataclass(frozen=True)
class Comparison:
    """difference : mAP of the second minus mAP of the first, over the queries that both scored
    low, high : bounds of its confidence interval
    p_value : two-sided, of the hypothesis that there is no difference
    queries, better, worse : how many were compared, improved, harmed by the second
    """

    difference: float
    low: float
    high: float
    p_value: float
    queries: int
    better: int
    worse: int


def compare(
    first: Evaluation,
    second: Evaluation,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> Comparison:
    """Paired bootstrap over queries: how far the difference of two mAPs may be trusted.

    The queries are drawn anew with replacement, the same ones for both runs; the interval is that of
    the percentiles, the p-value twice the smaller tail on the far side of zero.
    Raises ValueError where the runs differ in queries, protocol or convention.
    Sakai, SIGIR 2006; Efron & Tibshirani 1993.
    """
    confidence = as_number(confidence, "confidence", least=0, most=1, open=True)
    resamples = as_count(resamples, "resamples", most=10_000_000)
    for name in ("queries", "protocol", "convention"):
        if getattr(first, name) != getattr(second, name):
            raise ValueError(f"second: expected the same {name} as in the first evaluation")
    delta = second.average_precision - first.average_precision
    delta = delta[~np.isnan(delta)]
    if len(delta) == 0:
        raise ValueError("first: expected at least one query that both evaluations scored")
    rng, n = generator(seed), len(delta)
    means = np.empty(resamples)
    block = max(1, 4_000_000 // n)
    for at in range(0, resamples, block):
        rows = min(block, resamples - at)
        means[at : at + rows] = delta[rng.integers(n, size=(rows, n))].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    # One is added to both counts: a p-value of zero would claim more than the resamples can show.
    below = (np.count_nonzero(means <= 0) + 1) / (resamples + 1)
    above = (np.count_nonzero(means >= 0) + 1) / (resamples + 1)
    return Comparison(
        float(delta.mean()), float(low), float(high), min(1.0, 2 * min(below, above)), n,
        int(np.count_nonzero(delta > 0)), int(np.count_nonzero(delta < 0)),
    )  # fmt: skip
