from __future__ import annotations

import pytest
from oracle import batch, distance, told, valid

from kinfold.learn.mine.hardest import Hardest


def test_farthest_positive_and_nearest_negative() -> None:
    x, labels = batch(2)
    want = []
    for a in range(len(x)):
        of = [(p, q) for b, p, q in valid(labels) if b == a]
        if of:
            far = max({p for p, _ in of}, key=lambda p: distance(x, a, p))
            near = min({q for _, q in of}, key=lambda q: distance(x, a, q))
            want.append((a, far, near))
    assert told(Hardest()(x, labels)) == want
    assert 3 not in {a for a, _, _ in want}, "alone in its class"


def test_as_of_another_library() -> None:
    torch = pytest.importorskip("torch")
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    x, labels = (torch.from_numpy(part) for part in batch(3))
    assert told(Hardest()(x, labels)) == sorted(told(miners.BatchHardMiner()(x, labels)))
