"""Fisher vectors: gradients of the likelihood, and what they are for data that the mixture explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.aggregate.fisher import FisherVector


def fitted(rng: np.random.Generator, **choices) -> tuple[FisherVector, np.ndarray]:
    centres = 4 * np.random.default_rng(3).standard_normal((3, 5))
    x = centres[rng.integers(3, size=3000)] + rng.standard_normal((3000, 5)) * [1, 2, 0.5, 1, 1]
    return FisherVector(3, **choices).fit(x), x.astype(np.float32)


def mean_log_likelihood(model: FisherVector, x: np.ndarray) -> float:
    logs = model.log_likelihoods(x)
    top = logs.max(axis=1)
    return float((top + np.log(np.exp(logs - top[:, None]).sum(axis=1))).mean())


def test_the_mixture_is_found(rng: np.random.Generator) -> None:
    model, x = fitted(rng)
    mixture = pytest.importorskip("sklearn.mixture")
    peer = mixture.GaussianMixture(3, covariance_type="diag", random_state=0).fit(x)
    assert mean_log_likelihood(model, x) > peer.score(x) - 0.01
    np.testing.assert_allclose(model.weights.sum(), 1)
    np.testing.assert_allclose(model.posteriors(x).sum(axis=1), 1)


def test_gradients_are_those_of_the_likelihood(rng: np.random.Generator) -> None:
    model, _ = fitted(rng, gradients="means and variances")
    x = (2 * rng.standard_normal((40, 5))).astype(np.float32)
    found = model.gradient(x)
    step, size = 1e-5, model.means.size
    for place in range(size):
        k, j = divmod(place, 5)
        deviation = np.sqrt(model.variances[k, j])
        root = np.sqrt(model.weights[k])
        values = []
        for sign in (1, -1):
            model.means[k, j] += sign * step
            values.append(mean_log_likelihood(model, x))
            model.means[k, j] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        # The Fisher information of a mean is w / s^2.
        assert found[place] == pytest.approx(slope * deviation / root, abs=1e-5)
        values = []
        for sign in (1, -1):
            before = model.variances[k, j]
            model.variances[k, j] = (deviation + sign * step) ** 2
            values.append(mean_log_likelihood(model, x))
            model.variances[k, j] = before
        slope = (values[0] - values[1]) / (2 * step)
        assert found[size + place] == pytest.approx(
            slope * deviation / (np.sqrt(2) * root), abs=1e-5
        )


def test_data_of_the_mixture_have_no_gradient(rng: np.random.Generator) -> None:
    model, x = fitted(rng, gradients="means and variances", iterations=100)
    assert np.abs(model.gradient(x)).max() < 1e-2
    assert np.abs(model.gradient(x + 1)).max() > 0.1


def test_hard_and_equal_is_vlad(rng: np.random.Generator) -> None:
    centres = np.array([[0.0, 0], [100, 0], [0, 100]])
    x = (centres[rng.integers(3, size=300)] + rng.standard_normal((300, 2))).astype(np.float32)
    model = FisherVector(3, power=1.0).fit(x)
    model.weights, model.variances = np.full(3, 1 / 3), np.ones((3, 2))
    x += [0.3, -0.2]
    nearest = ((x[:, None] - model.means[None]) ** 2).sum(axis=2).argmin(axis=1)
    sums = np.stack([(x[nearest == k] - model.means[k]).sum(axis=0) for k in range(3)]).ravel()
    np.testing.assert_allclose(
        model.transform([x])[0], sums / np.linalg.norm(sums), rtol=1e-4, atol=1e-5
    )


def test_a_mixture_of_elsewhere(rng: np.random.Generator) -> None:
    mixture = pytest.importorskip("sklearn.mixture")
    x = rng.standard_normal((600, 4)) * (1, 2, 0.5, 1) + rng.integers(3, size=(600, 1)) * 4
    theirs = mixture.GaussianMixture(3, covariance_type="diag", random_state=0).fit(x)
    model = FisherVector.from_mixture(theirs.weights_, theirs.means_, theirs.covariances_)
    np.testing.assert_allclose(model.posteriors(x), theirs.predict_proba(x), atol=1e-4)
    assert model.transform([x[:50].astype(np.float32)]).shape == (1, 12)
    for change, words in (
        ({"weights": [0.5, 0.5, 0.5]}, "^weights: expected 3 numbers"),
        ({"variances": np.zeros((3, 4))}, "^variances: expected numbers above 0"),
        ({"variances": np.ones((3, 3))}, "^variances: expected numbers above 0"),
    ):
        parts = {
            "weights": theirs.weights_,
            "means": theirs.means_,
            "variances": theirs.covariances_,
        }
        with pytest.raises(ValueError, match=words):
            FisherVector.from_mixture(**{**parts, **change})


def test_photos(rng: np.random.Generator, tmp_path: Path) -> None:
    for gradients, times in (("means", 1), ("means and variances", 2)):
        model, x = fitted(rng, gradients=gradients)
        vectors = model.transform([x[:50], x[:50][::-1], x[:0], x[:1]])
        assert vectors.shape == (4, times * 15) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors[[0, 1, 3]], axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
        assert not vectors[2].any()
        kf.save(model, tmp_path / "fisher.kin")
        again = kf.load(tmp_path / "fisher.kin")
        np.testing.assert_array_equal(again.transform([x[:50]]), model.transform([x[:50]]))


def test_constant_dimensions_and_refusals(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.standard_normal((60, 2)), np.ones((60, 1))], axis=1)
    assert np.isfinite(FisherVector(4).fit(x).transform([x, x + 1])).all()
    with pytest.raises(kf.NotTrainedError):
        FisherVector().transform([x])
    with pytest.raises(ValueError, match="^gradients: expected one of"):
        FisherVector(gradients="all")
