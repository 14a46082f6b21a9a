from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.mine.hard_negatives import HardNegatives

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 4)).astype(np.float32)
LABELS = np.arange(30) % 6


def described(network, rows):
    return X[rows] + network


def test_negatives_are_the_nearest_of_other_classes() -> None:
    mined = HardNegatives(described, LABELS, k=3)(0.0, 0, None)
    for row, found in enumerate(mined["negatives"]):
        order = np.argsort(np.linalg.norm(X - X[row], axis=1))
        first: list[int] = []
        for other in order[LABELS[order] != LABELS[row]]:
            if LABELS[other] not in LABELS[first]:
                first.append(int(other))
        assert found.tolist() == first[:3]


def test_they_serve_for_some_epochs() -> None:
    mine = HardNegatives(described, LABELS, k=2, every=2)
    first = mine(0.0, 0, None)
    assert mine(5.0, 1, first) is first
    second = mine(5.0, 2, first)
    # Described at once, all moved together; nothing changes but what is kept.
    assert second["negatives"].tolist() == first["negatives"].tolist()
    assert np.allclose(second["queue.vectors"].mean() - first["queue.vectors"].mean(), 5)


def test_a_queue_that_is_smaller_is_renewed_in_turn() -> None:
    mine = HardNegatives(described, LABELS, k=2, size=20, renewed=8, seed=1)
    first = mine(0.0, 0, None)
    assert len(first["queue.ids"]) == 8
    second = mine(1.0, 1, first)
    third = mine(2.0, 2, second)
    assert 8 < len(second["queue.ids"]) <= 16 and len(third["queue.ids"]) <= 20
    without = np.setdiff1d(np.arange(30), third["queue.ids"])
    assert (third["negatives"][without] == -1).all()
    assert mine(1.0, 1, first)["negatives"].tolist() == second["negatives"].tolist()


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="size"):
        HardNegatives(described, LABELS, size=31)
