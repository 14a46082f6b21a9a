from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import kinfold as kf
from kinfold.learn.drlim import DrLIM
from kinfold.learn.pair_batches import PairBatches

# A bar that turns by half a circle in 8 x 8 pixels.
TURNS = np.pi * np.arange(60) / 60
Y, X = np.mgrid[-3.5:4.5, -3.5:4.5]
BARS = np.exp(-((np.cos(TURNS)[:, None, None] * X + np.sin(TURNS)[:, None, None] * Y) ** 2))
RING = np.stack([np.arange(60), (np.arange(60) + 1) % 60], axis=1)


def ring(**options: object) -> DrLIM:
    settings = {
        "network": "connected",
        "epochs": 150,
        "repulsion": 0.3,
        "first_repulsion": 0.3,
        "batch": 16,
    }
    return DrLIM(2, verbose=False, **{**settings, **options})  # fmt: skip


def test_a_ring_is_laid_out_as_a_ring_and_new_pictures_lie_on_it() -> None:
    """Half of the pictures are learnt; the order of the angles of all of them is that of the bars."""
    pairs = np.stack([np.arange(30), (np.arange(30) + 1) % 30], axis=1)
    model = ring().fit(BARS[::2], pairs=pairs)
    points = model.transform(BARS)
    around = np.unwrap(np.arctan2(*(points - points.mean(axis=0)).T))
    assert abs(around[-1] - around[0]) == pytest.approx(2 * np.pi, abs=0.5)
    assert abs(np.corrcoef(around, TURNS)[0, 1]) > 0.999
    assert model.loss_[-1] < 0.5 * model.loss_[0] and len(model.loss_) == 150


def test_the_loss_of_an_epoch_by_hand() -> None:
    """One step at a rate of almost nothing: the first network's mean loss of all of its pairs."""
    model = ring(epochs=1, rate=1e-12, batch=60, dissimilar=400, repulsion=0.5, first_repulsion=0.5)
    model.fit(BARS, pairs=RING)
    points = model.transform(BARS).astype(np.float64)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    near = np.zeros((60, 60), bool)
    near[tuple(RING.T)] = near[tuple(RING[:, ::-1].T)] = True
    others = ~near & ~np.eye(60, dtype=bool)
    expected = (apart[near] ** 2).mean() + 0.5 * (np.maximum(1 - apart[others], 0) ** 2).mean()
    assert model.loss_[0] == pytest.approx(expected, rel=0.01)


def test_neighbours_are_similar_where_nothing_else_is_said() -> None:
    given = ring(epochs=2, n_neighbors=3).fit(BARS)
    pairs = kf.learn.similar.neighbour_pairs(BARS.reshape(60, -1).astype(np.float32), 3)
    same = ring(epochs=2).fit(BARS, pairs=pairs)
    assert np.array_equal(given.transform(BARS), same.transform(BARS))
    assert np.array_equal(ring(epochs=2, n_neighbors=3).fit_transform(BARS), given.transform(BARS))


def test_resumed_is_the_same(tmp_path, monkeypatch) -> None:
    whole = ring(epochs=4, network="convolutional").fit(BARS, pairs=RING)
    again = ring(epochs=4, network="convolutional")

    def killed(rows: np.ndarray) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        seen = iter(range(9))
        drawn = PairBatches._batch
        patch.setattr(PairBatches, "_batch", lambda *a: killed(a) if next(seen) == 8 else drawn(*a))
        with pytest.raises(KeyboardInterrupt):
            again.fit(BARS, pairs=RING, folder=tmp_path)
    resumed = ring(epochs=4, network="convolutional").fit(BARS, pairs=RING, folder=tmp_path)
    assert np.array_equal(resumed.transform(BARS), whole.transform(BARS))
    assert resumed.loss_ == whole.loss_


@pytest.mark.parametrize("network", ["connected", "convolutional"])
def test_saved_and_pickled(network, tmp_path) -> None:
    model = ring(epochs=1, network=network).fit(BARS, pairs=RING)
    kf.save(model, tmp_path / "map.kin")
    for other in (kf.load(tmp_path / "map.kin", kf.DrLIM), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.transform(BARS[:5]), model.transform(BARS[:5]))
        assert other.loss_ == model.loss_ and other.params() == model.params()


def test_each_picture_is_mapped_alone() -> None:
    model = ring(epochs=1).fit(BARS, pairs=RING)
    one_by_one = np.concatenate([model.transform(bar[None]) for bar in BARS])
    np.testing.assert_allclose(one_by_one, model.transform(BARS), rtol=1e-5, atol=1e-6)
    colours = ring(epochs=1, network="convolutional").fit(np.stack([BARS, BARS], axis=3), pairs=RING)  # fmt: skip
    assert colours.transform(np.stack([BARS, BARS], axis=3)).shape == (60, 2)


def test_what_cannot_be_learnt_from() -> None:
    holed = BARS.copy()
    holed[7, 3, 3] = np.nan
    cases = {
        "expected at least 2 pictures, got 1": (BARS[:1], None),
        "NaN or infinity in picture 7": (holed, RING),
        "at least one pair of different pictures, got none": (BARS, np.empty((0, 2), int)),
        "pairs: expected rows below 60, got 60": (BARS, [[0, 60]]),
        r"expected pairs of rows \(m, 2\)": (BARS, [0, 1]),
        "expected pictures that differ": (np.ones((20, 8, 8)), None),
        r"expected pictures \(n, height, width\)": (BARS.reshape(-1), None),
        "n_neighbors: expected fewer than the 3 pictures, got 5": (BARS[:3], None),
    }
    for words, (pictures, pairs) in cases.items():
        with pytest.raises(ValueError, match=words):
            ring().fit(pictures, pairs=pairs)
    for options in ({"margin": 0}, {"epochs": 0}, {"network": "deep"}, {"repulsion": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ring(**options).fit(BARS, pairs=RING)
    with pytest.raises(kf.NotTrainedError, match="DrLIM"):
        ring().transform(BARS)
    with pytest.raises(ValueError, match=r"X: expected pictures of shape \(8, 8\), got \(8, 7\)"):
        ring(epochs=1).fit(BARS, pairs=RING).transform(BARS[:, :, 1:])
