"""What maps are judged by, on maps that are known."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PLACE = Path(__file__).resolve().parents[2] / "benchmarks" / "learn" / "judge.py"
SPEC = importlib.util.spec_from_file_location("judge", PLACE)
judge = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(judge)


def test_angles(rng) -> None:
    a, b = rng.uniform(-np.pi, np.pi, (2, 4000))
    assert judge.circular_correlation(a, a + 1.3) == pytest.approx(1)
    assert judge.circular_correlation(a, 2 - a) == pytest.approx(-1)
    assert abs(judge.circular_correlation(a, b)) < 0.05
    assert abs(judge.circular_correlation(2 * a, a)) < 0.05, "twice round"


def test_spread_and_neighbours() -> None:
    points = np.array([[0.0, 1], [0, -1], [4, 1], [4, -1]])
    # Each is 1 from the mean of its group, and the root of 1 + 4 from that of all.
    assert judge.spread_within(points, [7, 7, 3, 3]) == pytest.approx(5**-0.5)
    line = np.r_[np.arange(10.0), np.arange(100.0, 110)][:, None]
    assert judge.own_accuracy(line, np.repeat([0, 1], 10)) == 1
    assert judge.accuracy(line, np.repeat([0, 1], 10), line + 0.4, np.repeat([0, 5], 10)) == 0.5
