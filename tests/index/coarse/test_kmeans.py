"""Cells of k-means: of learnt centroids and of given ones."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.index.coarse.kmeans import KMeansCells

CENTROIDS = np.array([[0, 0], [4, 0], [0, 8]], np.float32)


def test_given_centroids() -> None:
    given = CENTROIDS.copy()
    cells = KMeansCells.of(given)
    given += 9  # the caller's
    np.testing.assert_array_equal(cells.centroids, CENTROIDS)
    assert (cells.n_cells, cells.dim) == (3, 2)
    x = np.array([[1, 0], [3, 1], [1, 7], [2, 0]], np.float32)
    np.testing.assert_array_equal(cells.assign(x), [0, 1, 2, 0])
    assert cells.assign(x[:0]).shape == (0,)
    np.testing.assert_array_equal(cells.centroids_of(np.array([2, 0])), CENTROIDS[[2, 0]])
    np.testing.assert_allclose(cells.middle(), [4 / 3, 8 / 3], rtol=1e-6)
    assert cells.reach() == pytest.approx((4 / 3) ** 2 + (16 / 3) ** 2)


def test_centroids_that_are_learnt(rng: np.random.Generator) -> None:
    x = (CENTROIDS[rng.integers(3, size=300)] + 0.1 * rng.standard_normal((300, 2))).astype(
        np.float32
    )
    cells = KMeansCells(3, seed=1, verbose=False)
    assert cells.dim is None
    with pytest.raises(NotTrainedError):
        cells.centroids  # noqa: B018
    found = cells.fit(x).centroids
    np.testing.assert_allclose(found[np.lexsort(found.T[::-1])], CENTROIDS[[0, 2, 1]], atol=0.1)
    unit = KMeansCells(3, spherical=True, verbose=False).fit(x[np.linalg.norm(x, axis=1) > 1])
    np.testing.assert_allclose(np.linalg.norm(unit.centroids, axis=1), 1, rtol=1e-5)


def test_state() -> None:
    cells = KMeansCells.of(CENTROIDS)
    again = KMeansCells.from_state(cells.params(), cells.arrays())
    np.testing.assert_array_equal(again.centroids, CENTROIDS)
    for wrong in (CENTROIDS[:2], CENTROIDS * np.float32(np.nan), CENTROIDS[:, :0]):
        with pytest.raises(FileFormatError, match="centroids"):
            KMeansCells.from_state(cells.params(), {"centroids": wrong})
