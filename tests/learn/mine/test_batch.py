from __future__ import annotations

import numpy as np
import pytest
from oracle import batch, distance

from kinfold.learn.mine.batch import Batch, triplets


def test_distances_and_order() -> None:
    x, labels = batch()
    made = Batch.of(x, labels)
    for i in range(len(x)):
        assert (np.diff(made.distances[i, made.order[i]]) >= 0).all()
        for j in range(len(x)):
            assert made.distances[i, j] == pytest.approx(distance(x, i, j), abs=1e-3)
    assert not made.positive.diagonal().any() and not (made.positive & made.negative).any()


def test_equal_points_come_in_order() -> None:
    made = Batch.of(np.ones((5, 3)), [0, 0, 1, 1, 2])
    assert (made.order == np.arange(5)).all()
    rows, some = made.nearest(np.arange(5), made.negative)
    assert rows.tolist() == [2, 2, 0, 0, 0] and some.all()
    rows, some = made.farthest(np.arange(5), made.positive)
    assert rows[:4].tolist() == [1, 0, 3, 2] and some.tolist() == [True] * 4 + [False]


def test_in_order() -> None:
    found = triplets([2, 0, 0], [3, 1, 1], [0, 5, 4])
    assert [part.tolist() for part in found] == [[0, 0, 2], [1, 1, 3], [4, 5, 0]]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="descriptors"):
        Batch.of([[np.nan, 1]], [0])
    with pytest.raises(ValueError, match="labels"):
        Batch.of(np.ones((2, 2)), [0])
