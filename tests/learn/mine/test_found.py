from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.mine.found import Pairs, Triplets, as_pairs, as_triplets


def test_triplets_as_pairs_and_back() -> None:
    found = Triplets(np.array([0, 0, 2]), np.array([1, 1, 3]), np.array([4, 5, 4]))
    pairs = as_pairs(found)
    assert pairs.first.tolist() == [0, 2, 0, 0, 2]
    assert pairs.second.tolist() == [1, 3, 4, 5, 4]
    assert pairs.similar.tolist() == [True, True, False, False, False]
    again = as_triplets(pairs)
    assert {*zip(*(part.tolist() for part in again))} == {(0, 1, 4), (0, 1, 5), (2, 3, 4)}
    assert as_triplets(found)[2].tolist() == [4, 5, 4] and as_pairs(pairs).similar is not None


def test_tuples_of_rows() -> None:
    assert isinstance(as_triplets(([0], [1], [2])), Triplets)
    pairs = as_pairs(([0, 1], [2, 3], [0], [4]))
    assert pairs.first.tolist() == [0, 1, 0] and pairs.second.tolist() == [2, 3, 4]
    assert pairs.similar.tolist() == [True, True, False]


def test_none_at_all() -> None:
    none = Triplets(*(np.empty(0, np.int64),) * 3)
    assert as_pairs(none).similar.shape == (0,)
    assert len(as_triplets(as_pairs(none)).anchor) == 0


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (3, "expected Pairs or Triplets, got int"),
        (([0], [1]), "expected Pairs or Triplets"),
        (([0, 1], [1], [2]), "equal lengths"),
        (([0.5], [1], [2]), "found"),
        (Pairs(np.array([0]), np.array([1]), np.array([True, False])), "equal lengths"),
    ],
)
def test_what_is_neither(found, message) -> None:
    with pytest.raises(ValueError, match=message):
        as_pairs(found)
