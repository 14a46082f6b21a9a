"""Locally linear embedding against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import check_saved, check_with_scikit_learn, distance_up_to_signs

import kinfold as kf
from kinfold.datasets.manifolds import s_curve, swiss_roll


@pytest.mark.parametrize("make", [swiss_roll, s_curve])
def test_equals_scikit_learn(make) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    x, more = make(600, seed=1).points, make(30, seed=2).points
    ours = kf.LocallyLinearEmbedding(2, n_neighbors=12).fit(x)
    theirs = manifold.LocallyLinearEmbedding(n_neighbors=12, eigen_solver="dense")
    theirs.fit(x.astype(np.float64))
    assert distance_up_to_signs(ours.embedding_, theirs.embedding_) < 1e-4
    placed = theirs.transform(more.astype(np.float64))
    assert distance_up_to_signs(ours.transform(more), placed) < 1e-4


def test_columns_are_orthonormal_and_sum_to_zero() -> None:
    model = kf.LocallyLinearEmbedding(3, n_neighbors=10).fit(swiss_roll(700, seed=3).points)
    embedding = model.embedding_.astype(np.float64)
    np.testing.assert_allclose(embedding.T @ embedding, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(embedding.sum(axis=0), 0, atol=1e-4)
    assert 0 < model.reconstruction_error_ < 1e-3


def test_training_points_stay_where_they_are() -> None:
    x = s_curve(500, seed=4).points
    model = kf.LocallyLinearEmbedding(2, n_neighbors=12).fit(x)
    scale = np.abs(model.embedding_).max()
    assert np.abs(model.transform(x) - model.embedding_).max() < 1e-2 * scale


def test_order_and_threads_change_nothing(rng) -> None:
    x = s_curve(500, seed=5).points
    order = rng.permutation(len(x))
    with kf.use_threads(1):
        one = kf.LocallyLinearEmbedding(2).fit(x)
    with kf.use_threads(3):
        three = kf.LocallyLinearEmbedding(2).fit(x)
    np.testing.assert_array_equal(one.embedding_, three.embedding_)
    shuffled = kf.LocallyLinearEmbedding(2).fit(x[order])
    assert distance_up_to_signs(shuffled.embedding_, one.embedding_[order]) < 1e-3


def test_bad_arguments() -> None:
    x = swiss_roll(30).points
    for words, call in {
        "n_components: ": lambda: kf.LocallyLinearEmbedding(30).fit(x),
        "n_neighbors: expected a": lambda: kf.LocallyLinearEmbedding(n_neighbors=0).fit(x),
        "reg: ": lambda: kf.LocallyLinearEmbedding(reg=-1).fit(x),
        "metric: ": lambda: kf.LocallyLinearEmbedding(metric="l1").fit(x),
        "X: expected finite": lambda: kf.LocallyLinearEmbedding().fit(x * np.nan),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.warns(UserWarning, match="falls into"):
        parts = kf.LocallyLinearEmbedding(1, n_neighbors=9).fit(np.concatenate([x, x + 99]))
    assert parts.reconstruction_error_ < 1e-12
    assert np.isfinite(kf.LocallyLinearEmbedding(1).fit(np.ones((6, 2))).embedding_).all()


def test_saved(tmp_path) -> None:
    x = swiss_roll(60).points
    check_saved(kf.LocallyLinearEmbedding(2).fit(x), x[:9] + 0.1, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it() -> None:
    check_with_scikit_learn(kf.LocallyLinearEmbedding())
