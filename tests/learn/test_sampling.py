from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.sampling import ClassBalanced

LABELS = np.array([5] * 50 + [7] * 3 + [2] * 10)


def test_every_class_equally_often_and_every_photo_before_any_again() -> None:
    order = ClassBalanced(LABELS).order(90)
    assert (np.unique(LABELS[order], return_counts=True)[1] == 30).all()
    counts = np.bincount(order, minlength=len(LABELS))
    assert (counts[LABELS == 7] == 10).all() and (counts[LABELS == 2] == 3).all()
    assert counts[LABELS == 5].max() == 1
    odd = ClassBalanced(LABELS).order(31)
    assert np.ptp(np.unique(LABELS[odd], return_counts=True)[1]) <= 1


def test_orders_depend_on_seed_and_epoch_alone() -> None:
    sampler = ClassBalanced(LABELS, seed=3)
    assert np.array_equal(sampler.order(40, 2), ClassBalanced(LABELS, seed=3).order(40, 2))
    assert not np.array_equal(sampler.order(40, 2), sampler.order(40, 3))
    assert not np.array_equal(sampler.order(40), ClassBalanced(LABELS).order(40))


def test_bad_labels() -> None:
    with pytest.raises(ValueError, match="labels: expected at least one"):
        ClassBalanced([])
