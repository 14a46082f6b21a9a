"""Locally linear embedding against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import distance_up_to_signs

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


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="reg: "):
        kf.LocallyLinearEmbedding(reg=-1).fit(swiss_roll(30).points)


def test_parts_are_warned_of() -> None:
    x = swiss_roll(30).points
    with pytest.warns(UserWarning, match="falls into"):
        parts = kf.LocallyLinearEmbedding(1, n_neighbors=9).fit(np.concatenate([x, x + 99]))
    assert parts.reconstruction_error_ < 1e-12
