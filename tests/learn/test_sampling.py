from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.sampling import ClassBalanced, ClassGroups

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


def test_every_batch_has_pairs_and_classes_take_turns() -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 9 + [3, 4, 5])
    batches = ClassGroups(labels, classes=4, photos=4).batches(30)
    counts = np.zeros(6, int)
    for rows in batches:
        known, sizes = np.unique(labels[rows], return_counts=True)
        assert len(known) == 4 and len(np.unique(rows)) == len(rows)
        assert (sizes > 1).sum() == 2, "half of them are alone"
        assert all(size == min(4, (labels == label).sum()) for label, size in zip(known, sizes))
        counts[known] += 1
    assert counts.sum() == 120 and (np.abs(counts - 20) <= 1).all()
    # Where none are alone all have pairs, as many as there are.
    some = ClassGroups([0, 0, 1, 1, 1], classes=4).batches(3)
    assert all(len(rows) == 5 for rows in some)


def test_batches_depend_on_seed_and_epoch_alone() -> None:
    sampler = ClassGroups(LABELS, classes=2, seed=3)
    again = ClassGroups(LABELS, classes=2, seed=3)
    for a, b in zip(sampler.batches(5, 2), again.batches(5, 2)):
        assert np.array_equal(a, b)
    first, other = sampler.batches(5, 2), sampler.batches(5, 3)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other))


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1, 1], "two classes at least, got 1"), ([1, 2, 3], "two photos of some class")],
)
def test_labels_without_pairs(labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        ClassGroups(labels)
