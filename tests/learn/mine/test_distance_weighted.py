from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from oracle import batch, told, valid

from kinfold.learn.mine.distance_weighted import DistanceWeighted


def test_weights_are_the_inverse_of_the_density() -> None:
    miner = DistanceWeighted()
    x = np.array([[0.2, 0.5, 0.9, 1.2, 1.39, 1.4, 1.9]])
    weights = miner.weights(x, 8, np.ones(x.shape, bool))[0]
    density = np.maximum(x[0], 0.5) ** 6 * (1 - np.maximum(x[0], 0.5) ** 2 / 4) ** 2.5
    want = np.where(x[0] < 1.4, 1 / density, 0)
    assert weights == pytest.approx(want / want.max())
    none = miner.weights(x, 8, x > 1.8)
    assert (none == 0).all()
    # Of many dimensions the density of near ones underflows; what is drawn does not.
    assert np.isfinite(miner.weights(x, 5000, np.ones(x.shape, bool))).all()


def test_drawn_as_weighted() -> None:
    x, labels = batch(5, n=12, dim=4, classes=3)
    miner = DistanceWeighted()
    torch.manual_seed(0)
    counts = np.zeros((12, 12))
    for _ in range(3000):
        found = miner(x, labels)
        np.add.at(counts, (found.anchor, found.negative), 1)
    assert {*told(found)} <= valid(labels)
    from kinfold.learn.mine.batch import Batch

    made = Batch.of(x, labels)
    weights = miner.weights(made.distances, 4, made.negative)
    for row in range(12):
        if counts[row].sum():
            share = weights[row] / weights[row].sum()
            assert counts[row] / counts[row].sum() == pytest.approx(share, abs=0.03)


def test_follows_the_generator() -> None:
    x, labels = batch(6)
    torch.manual_seed(3)
    first = told(DistanceWeighted()(x, labels))
    torch.manual_seed(3)
    assert told(DistanceWeighted()(x, labels)) == first
