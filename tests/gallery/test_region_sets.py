"""Regions of photos: sums against R-MAC's module, selections, files."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.gallery.region_sets import RegionSets
from kinfold.transform.pca import PCA


def photo(rng: np.random.Generator, counts: list[int], dim: int = 12) -> list[np.ndarray]:
    parts = [np.abs(rng.standard_normal((n, dim))) for n in counts]
    return [(p / np.linalg.norm(p, axis=1, keepdims=True)).astype(np.float32) for p in parts]


def sets(rng) -> tuple[list[list[np.ndarray]], RegionSets]:
    photos = [photo(rng, counts) for counts in ([5, 3], [4, 4], [1, 2], [6, 1])]
    return photos, RegionSets.joined([RegionSets.of_photo(scales) for scales in photos])


@pytest.mark.parametrize("whitened", [False, True])
def test_sums_are_rmac_s(rng, whitened) -> None:
    """Region by region: whitened, L2, summed; L2; the mean over the scales, L2."""
    photos, held = sets(rng)
    pca = (
        PCA(6, whiten=0.5).fit(np.concatenate([p for one in photos for p in one]))
        if whitened
        else None
    )
    got = held.summed(pca)
    for scales, vector in zip(photos, got):
        total = 0
        for regions in scales:
            rows = np.asarray(regions.astype(np.float16), np.float64)
            if pca is not None:
                mean, projection = pca.affine()
                rows = (rows - mean) @ projection
            summed = sum(row / np.linalg.norm(row) for row in rows)
            total = total + summed / np.linalg.norm(summed)
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=2e-6)


def test_photos_are_found_again(rng) -> None:
    photos, held = sets(rng)
    assert len(held) == 4
    some = held.select(np.array([2, 0]))
    np.testing.assert_array_equal(some.starts, [0, 3, 11])
    np.testing.assert_array_equal(some.vectors[:3], np.concatenate(photos[2]).astype(np.float16))
    np.testing.assert_array_equal(some.scales, [0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1])
    first = held.first_scale()
    np.testing.assert_array_equal(first.starts, [0, 5, 9, 10, 16])
    np.testing.assert_array_equal(first.vectors[5:9], photos[1][0].astype(np.float16))
    assert len(held.select(np.empty(0, np.int64))) == 0


def test_files(rng) -> None:
    _, held = sets(rng)
    arrays = held.arrays()
    again = RegionSets.from_arrays(arrays, 4)
    for name, array in again.arrays().items():
        np.testing.assert_array_equal(array, arrays[name])
    starts = arrays["starts"]
    for bad in (
        {"starts": starts[:-1]},
        {"starts": starts[::-1].copy()},
        {"starts": starts * 2},
        {"starts": np.array([0, 8, 8, 11, 18 + 0])},
        {"scales": arrays["scales"][:-1]},
        {"scales": np.ones_like(arrays["scales"])},
        {"vectors": arrays["vectors"].astype(np.float32)},
        {"more": starts},
    ):
        with pytest.raises(FileFormatError):
            RegionSets.from_arrays({**arrays, **bad}, 4)
    with pytest.raises(FileFormatError):
        RegionSets.from_arrays(arrays, 5)
