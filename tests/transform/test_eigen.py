from __future__ import annotations

import numpy as np
import pytest

from kinfold.transform import eigen
from kinfold.transform.eigen import leading
from kinfold.transform.pca import PCA


def covariance(m: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    rotation = np.linalg.qr(rng.standard_normal((m, m)))[0]
    return (rotation * np.arange(1, m + 1) ** -decay) @ rotation.T


@pytest.mark.parametrize("decay", [0.5, 1.0, 3.0])
def test_iteration_against_the_full_decomposition(decay, rng, monkeypatch) -> None:
    matrix = covariance(300, decay, rng)
    expected = np.linalg.eigvalsh(matrix)[::-1][:20]
    full = leading(matrix, 20)
    assert np.allclose(full[0], expected, rtol=1e-10)
    monkeypatch.setattr(eigen, "_FULL", 10)
    values, rows = leading(matrix, 20)
    assert np.allclose(values, expected, rtol=0.01)
    assert np.allclose(rows @ rows.T, np.eye(20), atol=1e-10)
    residual = np.linalg.norm(rows @ matrix - values[:, None] * rows, axis=1)
    assert residual.max() < 0.02 * values[0]
    assert np.abs((rows[:5] * full[1][:5]).sum(axis=1)).min() > 0.999
    assert (leading(matrix, 20)[1] == rows).all()


@pytest.mark.parametrize("rank", [0, 1, 5])
def test_fewer_directions_than_asked_for(rank, rng, monkeypatch) -> None:
    monkeypatch.setattr(eigen, "_FULL", 10)
    half = rng.standard_normal((200, rank))
    values, rows = leading(half @ half.T, 9)
    assert np.allclose(values[rank:], 0, atol=1e-9)
    assert np.allclose(rows @ rows.T, np.eye(9), atol=1e-9)


@pytest.mark.parametrize("shape", [(400, 150), (150, 400)])
def test_pca_is_the_same_either_way(shape, rng, monkeypatch) -> None:
    x = rng.standard_normal(shape) * 0.9 ** np.arange(shape[1])
    exact = PCA(10, whiten=True, shrinkage="ledoit-wolf").fit(x)
    monkeypatch.setattr(eigen, "_FULL", 10)
    iterated = PCA(10, whiten=True, shrinkage="ledoit-wolf").fit(x)
    assert np.allclose(iterated.variances, exact.variances, rtol=0.01)
    assert np.allclose(iterated.transform(x), exact.transform(x), atol=0.02)
