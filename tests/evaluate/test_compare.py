"""Paired bootstrap: coverage, sign, repeatability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold.evaluate.compare import compare
from kinfold.evaluate.protocols import Evaluation


def run(ap: Any, **changes: Any) -> Evaluation:
    ap = np.asarray(ap, float)
    ones = np.ones(len(ap), np.int64)
    names = tuple(f"q{i}" for i in range(len(ap)))
    fields: dict[str, Any] = {
        "protocol": "oxford", "convention": "trapezoid", "queries": names,
        "average_precision": ap, "positives": ones, "found": ones, "first": ones,
        "precision_at_k": {}, "depth": 1,
    }  # fmt: skip
    return Evaluation(**{**fields, **changes})


def test_a_run_against_itself(rng: np.random.Generator) -> None:
    same = run(rng.random(30))
    result = compare(same, same)
    assert (result.difference, result.low, result.high, result.p_value) == (0, 0, 0, 1)
    assert (result.queries, result.better, result.worse) == (30, 0, 0)


def test_a_sure_gain(rng: np.random.Generator) -> None:
    first = rng.random(40) / 2
    second = first + rng.normal(0.2, 0.05, 40)
    result = compare(run(first), run(second))
    assert result.difference == pytest.approx((second - first).mean())
    assert 0.17 < result.low < result.difference < result.high < 0.23
    assert result.p_value < 1e-3
    assert result.better == 40
    back = compare(run(second), run(first))
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-result.difference, -result.high, -result.low)
    )


def test_interval_is_that_of_the_central_limit(rng: np.random.Generator) -> None:
    delta = rng.normal(0, 0.1, 400)
    result = compare(run(np.full(400, 0.5)), run(0.5 + delta))
    half = 1.96 * delta.std() / 20
    assert result.high - result.low == pytest.approx(2 * half, rel=0.05)


def test_queries_are_paired() -> None:
    """Hard and easy queries differ by far more than the two runs do."""
    first = np.linspace(0, 0.9, 20)
    assert compare(run(first), run(first + 0.01)).p_value < 1e-3


def test_same_seed_same_result(rng: np.random.Generator) -> None:
    a, b = run(rng.random(25)), run(rng.random(25))
    assert compare(a, b, seed=4) == compare(a, b, seed=4)
    assert compare(a, b, seed=4) != compare(a, b, seed=5)


def test_skipped_queries_are_left_out() -> None:
    result = compare(run([0.5, np.nan, 0.1]), run([0.6, np.nan, 0.2]))
    assert result.queries == 2
    assert result.difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        (run([0.1], queries=("other",)), {}, "second: expected the same queries"),
        (run([0.1], protocol="holidays"), {}, "expected the same protocol"),
        (run([0.1], convention="finite_sum"), {}, "expected the same convention"),
        (run([np.nan]), {}, "at least one query"),
        (run([0.1]), {"confidence": 1.0}, "confidence: expected a number in"),
        (run([0.1]), {"resamples": 0}, "resamples: expected a whole number"),
        (run([0.1]), {"seed": -1}, "seed: expected"),
    ],
)
def test_refuses(second: Evaluation, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(run([0.2]), second, **options)
