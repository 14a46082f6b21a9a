from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import kinfold as kf
from kinfold.learn.adapter import Adapter
from kinfold.transform.normalize import l2_normalize


def collection(things=30, views=3, seed=0):
    """Descriptors of which three strong directions tell of the light, and the others of the thing."""
    random = np.random.default_rng(seed)
    x = np.repeat(random.normal(size=(things, 12)), views, axis=0)
    x += random.normal(size=x.shape) * np.array([4, 3, 3, *[0.5] * 9])
    labels = np.repeat(np.arange(things), views)
    return x.astype(np.float32), labels


def pairs_of(labels):
    a, b = np.nonzero(labels[:, None] == labels)
    return np.stack([a, b], axis=1)[a < b]


def mean_ap(vectors, labels) -> float:
    from kinfold.learn.validation import retrieval_score

    return retrieval_score(lambda _: l2_normalize(vectors), labels)(None)


def test_things_that_were_not_learnt_are_found_better() -> None:
    x, labels = collection()
    adapter = Adapter(12, runs=2, verbose=False).fit(x, pairs_of(labels))
    others, of = collection(seed=1)
    white = kf.PCA(12, whiten=0.25, shrinkage="ledoit-wolf").fit(x)
    assert mean_ap(adapter.transform(others), of) > mean_ap(white.transform(others), of) + 0.1
    assert adapter.after_ > adapter.before_ + 0.1 and adapter.pairs_ == 90


def test_it_begins_at_the_whitening() -> None:
    x, labels = collection()
    white = kf.PCA(6, whiten=0.25, shrinkage="ledoit-wolf").fit(x)
    held = Adapter(6, rate=1e-5, runs=1, epochs=2, verbose=False).fit(x, pairs_of(labels))
    assert np.allclose(held.transform(x), white.transform(x), atol=1e-3)
    mean, projection = held.affine()
    assert np.allclose((x - mean) @ projection, held.transform(x), atol=1e-4)
    assert held.transform(x[0]).shape == (6,)


def test_runs_are_averaged() -> None:
    x, labels = collection()
    pairs = pairs_of(labels)
    both = Adapter(12, runs=2, epochs=5, verbose=False).fit(x, pairs)
    one, other = (Adapter(12, runs=1, epochs=5, seed=s, verbose=False).fit(x, pairs) for s in (0, 1))  # fmt: skip
    assert np.allclose(both.projection, (one.projection + other.projection) / 2, atol=1e-6)
    assert both.after_ == pytest.approx((one.after_ + other.after_) / 2)


def test_copies_are_neither_pairs_nor_other_things() -> None:
    x, labels = collection()
    pairs = pairs_of(labels)
    plain = Adapter(12, whiten=0, runs=1, epochs=3, verbose=False)
    # Of equal means and axes: only what learning sees of the copies may differ.
    doubled = Adapter(12, whiten=0, runs=1, epochs=3, verbose=False)
    twice = np.concatenate([x, x])
    mirrored = np.concatenate([pairs, [[0, 90]], pairs + 90])
    a = plain.fit(x, pairs).transform(x)
    b = doubled.fit(twice, mirrored).transform(x)
    assert np.allclose(a, b, rtol=1e-3, atol=2e-3)


def test_it_is_the_same_again_and_saved(tmp_path) -> None:
    x, labels = collection()
    a, b = (Adapter(4, runs=1, epochs=4, verbose=False).fit(x, pairs_of(labels)) for _ in range(2))
    assert np.array_equal(a.projection, b.projection)
    kf.save(a, tmp_path / "a.kin")
    again = kf.load(tmp_path / "a.kin", kind=kf.Adapter)
    assert np.array_equal(again.transform(x), a.transform(x))
    assert (again.pairs_, again.before_, again.after_) == (a.pairs_, a.before_, a.after_)


@pytest.mark.parametrize(
    ("x", "pairs", "message"),
    [
        (np.eye(3), None, "pairs: expected"),
        (np.eye(3), np.empty((0, 2), int), "pairs: expected rows"),
        (np.eye(3), [[0, 3]], "pairs: expected rows below 3"),
        (np.eye(3), [[1, 1]], "one with itself"),
        (np.eye(3), [[0, 1]], "at least 2 things"),
        (np.eye(2), [[0, 1]], "at least 3 vectors"),
        (np.full((4, 2), np.nan), [[0, 1]], "finite"),
        (np.ones((4, 2)), [[0, 1]], "copies alone"),
    ],
)
def test_bad_input_is_told(x, pairs, message) -> None:
    with pytest.raises(ValueError, match=message):
        Adapter(verbose=False).fit(x, pairs)


def test_before_it_learnt() -> None:
    with pytest.raises(kf.NotTrainedError, match="Adapter"):
        Adapter().transform(np.eye(3))
