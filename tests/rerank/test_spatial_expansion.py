"""Features of verified photos come back into the query's pixels, and only those inside the region."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.local.verify import Verification
from kinfold.rerank.spatial_expansion import expand_features


def features(positions: np.ndarray, value: int = 0) -> LocalFeatures:
    n = len(positions)
    return LocalFeatures(
        np.asarray(positions, np.float32), np.full(n, 4, np.float32), np.zeros(n, np.float32),
        np.full((n, 128), value, np.uint8),
    )  # fmt: skip


def test_features_inside_the_region_come_back(rng: np.random.Generator) -> None:
    query = features(rng.uniform(0, 100, (10, 2)))
    # The photo shows the query twice as large, turned by a quarter, and more around it.
    matrix = np.array([[0.0, -2, 300], [2, 0, 40], [0, 0, 1]])
    there = rng.uniform(-50, 150, (200, 2))
    photo = features(there @ matrix[:2, :2].T + matrix[:2, 2], 7)
    found = Verification(20, matrix, np.zeros((20, 2), np.int64))
    joined = expand_features(query, [photo], [found], region=(0, 0, 100, 100))
    inside = ((there >= 0) & (there <= 100)).all(axis=1)
    assert len(joined) == 10 + inside.sum()
    np.testing.assert_array_equal(joined.positions[:10], query.positions)
    np.testing.assert_allclose(joined.positions[10:], there[inside], atol=1e-3)
    np.testing.assert_allclose(joined.scales[10:], 2)
    np.testing.assert_allclose(joined.angles[10:], -np.pi / 2)
    assert (joined.descriptors[10:] == 7).all()
    assert len(expand_features(query, [photo], [found], region=(0, 0, 1, 1), whole=True)) == 210
    # Without a region, that of the query's features.
    low, high = query.positions.min(axis=0), query.positions.max(axis=0)
    inside = ((there >= low) & (there <= high)).all(axis=1)
    assert len(expand_features(query, [photo], [found])) == 10 + inside.sum()


def test_a_horizon_and_what_was_not_verified(rng: np.random.Generator) -> None:
    query = features(rng.uniform(0, 100, (10, 2)))
    photo = features(rng.uniform(0, 100, (50, 2)))
    none = Verification(0, np.zeros((3, 3)), np.empty((0, 2), np.int64))
    assert len(expand_features(query, [photo], [none])) == 10
    steep = np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]])
    found = Verification(9, steep, np.zeros((9, 2), np.int64))
    joined = expand_features(query, [photo], [found], region=(0, 0, 100, 100))
    assert np.isfinite(joined.positions).all() and (joined.scales > 0).all()
    nothing = features(np.empty((0, 2)))
    assert expand_features(nothing, [photo], [found]) is nothing
    with pytest.raises(ValueError, match="^verified: expected"):
        expand_features(query, [photo], [])
