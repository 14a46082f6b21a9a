from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.mine.queue import DescriptorQueue


def test_the_oldest_leave_and_who_comes_again_is_renewed() -> None:
    queue = DescriptorQueue(4, 2)
    queue.push(np.eye(2), [0, 1], [10, 11])
    queue.push([[2, 0], [3, 0]], [0, 2], [12, 13])
    queue.push([[5, 5]], [7], [10])
    assert queue.ids.tolist() == [11, 12, 13, 10]
    queue.push([[6, 6]], [7], [14])
    assert queue.ids.tolist() == [12, 13, 10, 14] and len(queue) == 4
    state = queue.arrays()
    assert state["vectors"].tolist() == [[2, 0], [3, 0], [5, 5], [6, 6]]
    assert state["labels"].tolist() == [0, 2, 7, 7]
    again = DescriptorQueue.from_arrays(4, 2, state)
    assert all((again.arrays()[name] == state[name]).all() for name in state)
    queue.push(np.arange(12).reshape(6, 2), range(6), range(6))
    assert queue.ids.tolist() == [2, 3, 4, 5]


def test_hardest_are_nearest_of_other_classes() -> None:
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(50, 5)).astype(np.float32), random.integers(0, 6, 50)
    queue = DescriptorQueue(50, 5)
    ids = random.permutation(50)
    queue.push(x[ids], labels[ids], ids)
    asked, classes = random.normal(size=(7, 5)).astype(np.float32), random.integers(0, 6, 7)
    for one in (True, False):
        rows, some = queue.hardest(asked, classes, 4, one_per_class=one)
        assert some.all()
        for row in range(7):
            order = np.argsort(np.linalg.norm(x - asked[row], axis=1))
            want: list[int] = []
            for other in order[labels[order] != classes[row]]:
                if not one or labels[other] not in labels[want]:
                    want.append(int(other))
            assert rows[row].tolist() == want[:4]
    rows, some = queue.hardest(asked, classes, 9)
    assert some.sum(1).tolist() == [5] * 7 and (rows[~some] == -1).all()


def test_empty_and_wrong() -> None:
    queue = DescriptorQueue(3, 2)
    rows, some = queue.hardest([[1, 2]], [0], 2)
    assert rows.tolist() == [[-1, -1]] and not some.any()
    assert queue.arrays()["vectors"].shape == (0, 2)
    assert len(DescriptorQueue.from_arrays(3, 2, queue.arrays())) == 0
    with pytest.raises(ValueError, match="ids: expected each photo once"):
        queue.push(np.eye(2), [0, 1], [1, 1])
    with pytest.raises(ValueError, match="descriptors"):
        queue.push([[np.inf, 0]], [0], [1])
