"""The factor and the smallest eigenvalues against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold import _core
from kinfold.manifold.sparse import smallest


def random_sparse(n: int, rng: np.random.Generator):
    """A positive definite matrix, dense and in compressed rows."""
    dense = np.where(rng.random((n, n)) < 4 / n, rng.standard_normal((n, n)), 0)
    dense = dense @ dense.T + 0.1 * np.eye(n)
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(n + 1)).astype(np.int64)
    return dense, (starts, columns.astype(np.int32), dense[rows, columns])


@pytest.mark.parametrize("n", [1, 2, 30, 200])
def test_products_and_solutions(n, rng) -> None:
    dense, parts = random_sparse(n, rng)
    matrix = _core.manifold.Symmetric(*parts)
    x = rng.standard_normal((n, 3))
    np.testing.assert_allclose(matrix.multiply(x), dense @ x, atol=1e-10)
    assert not matrix.factorize(0.5, 0) or n == 1
    with pytest.raises(ValueError, match="factorized"):
        _core.manifold.Symmetric(*parts).solve(x)
    assert matrix.factorize(0.5, n * n)
    expected = np.linalg.solve(dense + 0.5 * np.eye(n), x)
    np.testing.assert_allclose(matrix.solve(x), expected, atol=1e-8)


def test_what_is_not_positive_definite_is_refused() -> None:
    parts = np.array([0, 1, 2]), np.array([0, 1], np.int32), np.array([1.0, -1.0])
    with pytest.raises(ValueError, match="positive definite"):
        _core.manifold.Symmetric(*parts).factorize(0.0, 100)
    for position, bad in (
        (0, np.array([0, 5, 2])), (1, np.array([0, 2], np.int32)), (2, np.array([1.0, np.nan])), (2, np.ones(3)),
    ):  # fmt: skip
        wrong = list(parts)
        wrong[position] = bad
        with pytest.raises(ValueError):
            _core.manifold.Symmetric(*wrong)


@pytest.mark.parametrize("bound", [None, 12.0])
def test_smallest_eigenvalues_of_a_ring_with_chords(bound, monkeypatch) -> None:
    from kinfold.manifold import sparse

    monkeypatch.setattr(sparse, "_FILL", 0)  # products where a bound is given
    n = 600
    at = np.arange(n)
    chords = np.array([1, 17, 101])
    columns = np.stack([at, *(at + chords[:, None]), *(at - chords[:, None])], axis=1) % n
    values = np.where(columns == at[:, None], 6.0, -1.0)
    null = np.full(n, n**-0.5)
    found, vectors = smallest(
        np.arange(n + 1) * 7, columns.reshape(-1).astype(np.int32), values.reshape(-1), null, 4, bound
    )  # fmt: skip
    expected = np.sort(6 - 2 * np.cos(2 * np.pi * np.outer(at, chords) / n).sum(axis=1))[1:5]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(vectors @ null, 0, atol=1e-8)
