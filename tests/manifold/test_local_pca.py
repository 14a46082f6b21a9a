"""Local PCA against PCA, k-means, lines that it fits exactly, and a bent curve."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import check_saved, check_with_scikit_learn

import kinfold as kf
from kinfold.datasets.manifolds import swiss_roll


def arc(n: int, rng: np.random.Generator, noise: float = 0.02) -> np.ndarray:
    t = 1.5 * np.pi * rng.random(n)
    return np.stack([np.cos(t), np.sin(t)], axis=1) + noise * rng.standard_normal((n, 2))


def test_a_bent_curve(rng) -> None:
    """Mean errors of one to eight cells, as calibrated; the noise has a variance of 4e-4."""
    x = arc(2000, rng)
    for cells, expected in {1: 0.303, 2: 0.0353, 4: 0.00286, 8: 5.3e-4}.items():
        model = kf.LocalPCA(1, n_cells=cells, restarts=5).fit(x)
        assert model.error_ == pytest.approx(expected, rel=0.1)
        assert -model.score(x) == pytest.approx(model.error_, rel=1e-3)


@pytest.mark.parametrize("p", [0, 1, 2])
def test_the_error_never_rises(p, rng) -> None:
    x = swiss_roll(800, seed=p).points
    model = kf.LocalPCA(p, n_cells=9, tolerance=0, iterations=30).fit(x)
    assert (np.diff(model.history_) <= 1e-9 * model.history_[0]).all()
    assert model.error_ <= kf.LocalPCA(p, n_cells=1).fit(x).error_


def test_one_cell_is_pca(rng) -> None:
    x = swiss_roll(500).points
    model, pca = kf.LocalPCA(2, n_cells=1).fit(x), kf.PCA(2).fit(x)
    np.testing.assert_allclose(model.components_[0], pca.components, atol=1e-5)
    np.testing.assert_allclose(model.encode(x).coordinates, pca.transform(x), atol=1e-3)
    assert model.error_ == pytest.approx(pca.total_variance - pca.variances.sum(), rel=1e-4)


def test_no_components_are_k_means(rng) -> None:
    x = rng.standard_normal((300, 3)).astype(np.float32)
    model = kf.LocalPCA(0, n_cells=5, tolerance=0).fit(x)
    gaps = ((x[:, None] - model.centroids_) ** 2).sum(axis=2)
    np.testing.assert_array_equal(model.predict(x), gaps.argmin(axis=1))
    np.testing.assert_allclose(model.transform(x), gaps, atol=1e-4)
    for cell in range(5):
        mean = x[model.predict(x) == cell].mean(axis=0)
        np.testing.assert_allclose(model.centroids_[cell], mean, atol=1e-4)


def test_lines_are_found_exactly(rng) -> None:
    ends = np.array([[[0, 0, 0], [4, 0, 0]], [[9, 1, 0], [9, 6, 0]], [[0, 9, 5], [1, 12, 9]]])
    t = rng.random((3, 200, 1))
    x = (ends[:, :1] * (1 - t) + ends[:, 1:] * t).reshape(-1, 3)
    model = kf.LocalPCA(1, n_cells=3, restarts=10).fit(x)
    assert model.error_ < 1e-9
    assert len({tuple(set(model.predict(x)[i : i + 200])) for i in (0, 200, 400)}) == 3


@pytest.mark.parametrize("distance", ["reconstruction", "euclidean"])
def test_codes_stand_for_vectors(distance, rng) -> None:
    x = swiss_roll(400).points
    model = kf.LocalPCA(2, n_cells=12, distance=distance).fit(x)
    cells, coordinates = model.encode(x)
    back = model.decode(cells, coordinates)
    errors = ((back - x) ** 2).sum(axis=1)
    own = model.transform(x)[np.arange(400), cells]
    np.testing.assert_allclose(errors, own, atol=1e-3)
    assert errors.mean() == pytest.approx(model.error_, rel=1e-2)
    # Orthonormal, or zero where a cell has fewer directions.
    for components in model.components_:
        gram = components @ components.T
        np.testing.assert_allclose(gram, np.diag(np.diag(gram).round()), atol=1e-5)


def test_few_vectors_duplicates_and_small_cells() -> None:
    model = kf.LocalPCA(2, n_cells=9).fit([[0.0, 0, 0], [1, 1, 1], [5, 5, 5]])
    assert model.centroids_.shape == (3, 3) and model.error_ < 1e-12
    same = kf.LocalPCA(1, n_cells=4).fit(np.ones((20, 2)))
    assert same.error_ == 0 and np.isfinite(same.components_).all()


def test_bad_arguments(rng) -> None:
    x = swiss_roll(30).points
    model = kf.LocalPCA(2, n_cells=3).fit(x)
    for words, call in {
        "n_components: ": lambda: kf.LocalPCA(4).fit(x),
        "n_cells: ": lambda: kf.LocalPCA(n_cells=0).fit(x),
        "distance: ": lambda: kf.LocalPCA(distance="l1").fit(x),
        "iterations: ": lambda: kf.LocalPCA(iterations=0).fit(x),
        "tolerance: ": lambda: kf.LocalPCA(tolerance=-1).fit(x),
        "restarts: ": lambda: kf.LocalPCA(restarts=0).fit(x),
        "seed: ": lambda: kf.LocalPCA(seed=-1).fit(x),
        "X: expected finite": lambda: kf.LocalPCA().fit(x * np.nan),
        "cells: expected": lambda: model.decode([3], [[0, 0]]),
        "coordinates: expected": lambda: model.decode([0], [[0, 0, 0]]),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()


def test_saved(tmp_path) -> None:
    x = swiss_roll(60).points
    check_saved(kf.LocalPCA(1, n_cells=3).fit(x), x[:9] + 0.1, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it() -> None:
    check_with_scikit_learn(kf.LocalPCA(1, n_cells=3))
