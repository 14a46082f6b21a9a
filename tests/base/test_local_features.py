"""Keypoints stay together with their descriptors."""

from __future__ import annotations

import numpy as np

from kinfold.base.local_features import LocalFeatures


def test_select_takes_the_same_rows_of_everything(rng) -> None:
    features = LocalFeatures(
        rng.random((5, 2), np.float32),
        rng.random(5, np.float32),
        rng.random(5, np.float32),
        rng.integers(0, 256, (5, 128), np.uint8),
    )
    for rows in (np.array([4, 0]), np.array([True, False, False, False, True])):
        part = features.select(rows)
        assert len(part) == 2
        for name in ("positions", "scales", "angles", "descriptors"):
            np.testing.assert_array_equal(getattr(part, name), getattr(features, name)[rows])
