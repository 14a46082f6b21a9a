"""Ranked lists and the ways to make them."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.ranking import Neighbours, Ranking


def test_from_ids() -> None:
    ranking = Ranking.from_ids([[4, 2, -1], [0, 1, 2]])
    np.testing.assert_array_equal(ranking.ids, [[4, 2, -1], [0, 1, 2]])
    np.testing.assert_array_equal(ranking.scores, [[0, -1, -np.inf], [0, -1, -2]])
    np.testing.assert_array_equal(ranking.valid(0), [4, 2])
    assert len(ranking) == 2


def test_one_list_is_one_query() -> None:
    assert Ranking.from_ids([3, 1]).ids.shape == (1, 2)


@pytest.mark.parametrize(("metric", "sign"), [("l2", -1), ("ip", 1), ("cosine", 1)])
def test_from_neighbours_larger_is_better(metric, sign) -> None:
    fill = np.inf if metric == "l2" else -np.inf
    found = Neighbours(np.array([[1, 4, fill]], np.float32), np.array([[7, 3, -1]]))
    ranking = Ranking.from_neighbours(found, metric=metric)
    np.testing.assert_array_equal(ranking.scores, [[sign * 1, sign * 4, -np.inf]])
    assert ranking.scores.dtype == np.float32


def test_from_scores_puts_the_smaller_id_first_in_ties() -> None:
    ranking = Ranking.from_scores([[1, 3, 3, 0], [5, 5, 5, 5]], k=3)
    np.testing.assert_array_equal(ranking.ids, [[1, 2, 0], [0, 1, 2]])
    np.testing.assert_array_equal(ranking.scores, [[3, 3, 1], [5, 5, 5]])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="ranking: expected ids and scores of one shape"):
        Ranking(np.zeros((2, 4), np.float32), np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="ranking"):
        Ranking(np.zeros(3, np.float32), np.zeros(3, np.int64))


def test_neighbours_unpack_as_distances_then_ids() -> None:
    distances, ids = Neighbours(np.zeros((1, 2), np.float32), np.ones((1, 2), np.int64))
    assert distances.dtype == np.float32
    assert ids.dtype == np.int64


def test_the_order_of_before_is_understood_with_a_warning() -> None:
    scores, ids = np.array([[0.5, 0.2]], np.float32), np.array([[3, 1]])
    with pytest.warns(DeprecationWarning, match="scores before ids"):
        ranking = Ranking(ids, scores)
    np.testing.assert_array_equal(ranking.ids, ids)
    np.testing.assert_array_equal(ranking.scores, scores)
