"""Eigenmaps against a dense decomposition and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import distance_up_to_signs

import kinfold as kf
from kinfold.datasets.manifolds import swiss_roll, two_moons
from kinfold.manifold.laplacian import WEIGHTS


def dense(x: np.ndarray, k: int, weights: str, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The definition, by loops and a complete decomposition."""
    n = len(x)
    squares = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    near = np.argsort(squares, axis=1, kind="stable")[:, :k]
    named = np.zeros((n, n), bool)
    np.put_along_axis(named, near, True, axis=1)
    w = (named | named.T).astype(np.float64)
    if weights == "mean":
        w = (named.astype(np.float64) + named.T) / 2
    if weights == "heat":
        w *= np.exp(-squares / squares[w > 0].mean())
    d = w.sum(axis=1)
    values, vectors = np.linalg.eigh(np.eye(n) - w / np.sqrt(d[:, None] * d))
    return values[1 : dim + 1], (vectors / np.sqrt(d)[:, None])[:, 1 : dim + 1]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_equals_the_definition(weights) -> None:
    x = swiss_roll(450, seed=1).points
    values, expected = dense(x, 9, weights, 3)
    model = kf.LaplacianEigenmaps(3, n_neighbors=9, weights=weights).fit(x)
    np.testing.assert_allclose(model.eigenvalues_, values, rtol=1e-4)
    assert distance_up_to_signs(model.embedding_, expected) < 1e-4


def test_equals_scikit_learn() -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    x = swiss_roll(600, seed=2).points
    ours = kf.LaplacianEigenmaps(3, n_neighbors=9, weights="mean").fit(x)
    theirs = manifold.SpectralEmbedding(
        3, affinity="nearest_neighbors", n_neighbors=10, eigen_tol=1e-10, random_state=0
    ).fit(x.astype(np.float64))
    assert distance_up_to_signs(ours.embedding_, theirs.embedding_) < 1e-5


def test_products_alone_find_the_same(monkeypatch) -> None:
    from kinfold.manifold import sparse

    x = swiss_roll(700, seed=3).points
    factored = kf.LaplacianEigenmaps(2, n_neighbors=9).fit(x)
    monkeypatch.setattr(sparse, "_FILL", 10)
    multiplied = kf.LaplacianEigenmaps(2, n_neighbors=9).fit(x)
    assert distance_up_to_signs(multiplied.embedding_, factored.embedding_) < 1e-4


def test_moons_come_apart() -> None:
    moons = two_moons(300, noise=0.03)
    with pytest.warns(UserWarning, match="falls into 2 parts"):
        first = kf.LaplacianEigenmaps(1, n_neighbors=12).fit_transform(moons.points)[:, 0]
    same = ((first > 0) == moons.labels).mean()
    assert max(same, 1 - same) > 0.99


def test_others_are_placed_between_their_neighbours() -> None:
    x = swiss_roll(900, seed=4).points
    model = kf.LaplacianEigenmaps(2, n_neighbors=9, weights="heat").fit(x)
    np.testing.assert_array_equal(model.transform(x), model.embedding_)
    near = model.transform(x + 0.01)
    assert np.abs(near - model.embedding_).max() < 0.1 * np.abs(model.embedding_).max()


def test_bad_arguments() -> None:
    x = swiss_roll(30).points
    for words, call in {
        "weights: ": lambda: kf.LaplacianEigenmaps(weights="none").fit(x),
        "heat: ": lambda: kf.LaplacianEigenmaps(heat=0).fit(x),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()
