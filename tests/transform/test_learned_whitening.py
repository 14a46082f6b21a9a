from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import NotTrainedError
from kinfold.transform.learned_whitening import LearnedWhitening
from kinfold.transform.normalize import l2_normalize


def classes(rng: np.random.Generator, groups: int = 60, each: int = 4, d: int = 6):
    """Vectors whose noise within a group is large where the groups do not differ; and pairs."""
    centres = rng.standard_normal((groups, d)) * np.linspace(2, 0.05, d)
    noise = rng.standard_normal((groups * each, d)) * np.linspace(0.1, 2, d)
    x = (np.repeat(centres, each, axis=0) + noise).astype(np.float32)
    rows = np.arange(groups * each).reshape(groups, each)
    pairs = np.array([(g[i], g[j]) for g in rows for i in range(each) for j in range(i + 1, each)])
    return x, pairs, np.repeat(np.arange(groups), each)


def published(x: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps as the literature lists them: mean of the queries, Cholesky, eigenvectors of the projected."""
    x = x.astype(np.float64)
    mean = np.mean([x[q] for q, _ in pairs], axis=0)
    s = sum(np.outer(x[q] - x[p], x[q] - x[p]) for q, p in pairs) / len(pairs)
    first = np.linalg.inv(np.linalg.cholesky(s))
    projected = np.array([first @ (v - mean) for v in x])
    values, vectors = np.linalg.eig(projected.T @ projected)
    order = np.argsort(-values)
    return mean, vectors[:, order].T @ first


def test_as_published(rng) -> None:
    x, pairs, _ = classes(rng)
    w = LearnedWhitening(4).fit(x, pairs)
    mean, p = published(x, pairs)
    assert np.allclose(w.mean, mean, atol=1e-5)
    assert np.allclose(np.abs((p[:4] * w.projection.T).sum(1)), (p[:4] ** 2).sum(1), rtol=1e-3)
    assert np.allclose(w.transform(x), (x - w.mean) @ w.projection, atol=1e-4)
    assert w.transform(x[0]).shape == (4,)


@pytest.mark.parametrize("second", ["all", "nonmatching"])
def test_matching_differences_are_white_and_the_second_matrix_diagonal(second, rng) -> None:
    x, pairs, labels = classes(rng)
    w = LearnedWhitening(second=second).fit(x, pairs)
    y = w.transform(x).astype(np.float64)
    gap = y[pairs[:, 0]] - y[pairs[:, 1]]
    assert np.allclose(gap.T @ gap / len(pairs), np.eye(6), atol=1e-4)
    if second == "all":
        other = y.T @ y
    else:
        i, j = np.triu_indices(len(x), 1)
        apart = labels[i] != labels[j]
        gap = y[i[apart]] - y[j[apart]]
        other = gap.T @ gap
        explicit = LearnedWhitening(second=second).fit(x, pairs, np.stack([i[apart], j[apart]], 1))
        assert np.allclose(explicit.projection, w.projection, atol=1e-3)
    diagonal = np.diag(other)
    assert (np.diff(diagonal) <= 1e-6 * diagonal[0]).all()
    assert np.abs(other - np.diag(diagonal)).max() < 1e-4 * diagonal[0]


def test_it_finds_groups_better_than_the_vectors_themselves(rng) -> None:
    x, pairs, labels = classes(rng)
    known = labels[pairs[:, 0]] < 40  # learnt on other groups than those judged

    def right(vectors: np.ndarray) -> float:
        unit = l2_normalize(vectors[labels >= 40])
        similar = unit @ unit.T - 2 * np.eye(len(unit))
        return float((labels[labels >= 40][similar.argmax(1)] == labels[labels >= 40]).mean())

    for second in ("all", "nonmatching"):
        w = LearnedWhitening(3, second=second).fit(x, pairs[known])
        assert right(w.transform(x)) > right(x - x.mean(0)) + 0.1


def test_few_pairs_are_shrunk_with_a_warning(rng) -> None:
    x = rng.standard_normal((20, 10))
    pairs = [[0, 1], [2, 3], [4, 5]]
    with pytest.warns(UserWarning, match="3 pairs in 10 dimensions: shrinkage"):
        w = LearnedWhitening().fit(x, pairs)
    assert np.isfinite(w.projection).all()
    LearnedWhitening(shrinkage=0.1).fit(x, pairs)  # asked for: no warning
    repeated = np.repeat(pairs, 9, axis=0)  # enough pairs, but of too few directions
    assert np.isfinite(LearnedWhitening().fit(x, repeated).projection).all()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 9]], "rows below 5"),
        ([[0, -1]], "rows below 5"),
        ([0, 1], r"expected rows \(m, 2\)"),
        ([[0.5, 1]], r"expected rows \(m, 2\)"),
        (np.empty((0, 2), int), r"expected rows \(m, 2\)"),
        ([[0, 0]], "some vectors that differ"),
    ],
)
def test_bad_pairs(pairs, message, rng) -> None:
    with pytest.raises(ValueError, match=message):
        LearnedWhitening().fit(rng.standard_normal((5, 2)), pairs)


def test_bad_settings(rng) -> None:
    with pytest.raises(ValueError, match="second: expected one of all, nonmatching"):
        LearnedWhitening(second="some")
    with pytest.raises(ValueError, match="dim: expected at most 2"):
        LearnedWhitening(3).fit(rng.standard_normal((5, 2)), [[0, 1]])
    with pytest.raises(NotTrainedError):
        LearnedWhitening().transform(np.eye(3))
