"""Re-ranking by geometry is a permutation that only confirmed photos gain from."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.rerank.spatial import spatial_rerank


def photo(
    rng: np.random.Generator, base: LocalFeatures | None = None, share: float = 1.0
) -> LocalFeatures:
    """Random features, of which a share is a shifted copy of another photo's."""
    n = 60
    positions = rng.uniform(0, 500, (n, 2)).astype(np.float32)
    descriptors = rng.integers(0, 256, (n, 128), dtype=np.uint8)
    scales, angles = np.full(n, 3, np.float32), np.zeros(n, np.float32)
    if base is not None:
        k = round(share * n)
        positions[:k] = base.positions[:k] + 11
        descriptors[:k] = base.descriptors[:k]
    return LocalFeatures(positions, scales, angles, descriptors)


def test_confirmed_photos_first_by_inliers_the_rest_in_their_order(
    rng: np.random.Generator,
) -> None:
    query = photo(rng)
    photos = {i: photo(rng) for i in range(10)}
    photos[4], photos[7] = photo(rng, query, 0.4), photo(rng, query, 0.9)
    ids = np.arange(10)[::-1].copy()
    order, verified = spatial_rerank(query, ids, photos.__getitem__, least_inliers=8)
    assert order.tolist() == [7, 4, 9, 8, 6, 5, 3, 2, 1, 0]
    assert [v.inliers for v in verified[:2]] == [54, 24]
    assert all(v is not None and v.inliers < 8 for v in verified[2:])


def test_only_the_top_is_looked_at(rng: np.random.Generator) -> None:
    query = photo(rng)
    photos = {i: photo(rng, query, 0.5) for i in range(6)}
    looked: list[int] = []

    def get(i: int) -> LocalFeatures:
        looked.append(i)
        return photos[i]

    order, verified = spatial_rerank(query, [3, 1, 5, 0, 2], get, top=2)
    assert looked == [3, 1] and order.tolist() == [3, 1, 5, 0, 2]
    assert [v is None for v in verified] == [False, False, True, True, True]
    assert spatial_rerank(query, [3, 1], get, top=0)[0].tolist() == [3, 1]
    assert spatial_rerank(query, [], get)[0].shape == (0,)


def test_equal_inliers_keep_their_order_and_bad_input(rng: np.random.Generator) -> None:
    query = photo(rng)
    twin = photo(rng, query, 0.5)
    order, _ = spatial_rerank(query, [8, 2, 5], lambda _: twin)
    assert order.tolist() == [8, 2, 5]
    for options, words in (({"top": -1}, "top"), ({"least_inliers": -1}, "least_inliers")):
        with pytest.raises(ValueError, match=f"^{words}: expected"):
            spatial_rerank(query, [1], lambda _: twin, **options)
    with pytest.raises(ValueError, match="^ids: expected"):
        spatial_rerank(query, [-1], lambda _: twin)


def test_within_a_time(rng: np.random.Generator) -> None:
    """The first few are always verified; with enough time the answer is that without a limit."""
    query = photo(rng)
    photos = {i: photo(rng, query, 0.5) if i % 3 else photo(rng) for i in range(40)}
    order, verified = spatial_rerank(query, np.arange(40), photos.__getitem__, seconds=0)
    assert sorted(order.tolist()) == list(range(40))
    looked = [int(i) for i, v in zip(order, verified) if v is not None]
    assert sorted(looked) == list(range(16))
    free, every = spatial_rerank(query, np.arange(40), photos.__getitem__)
    timed, all_too = spatial_rerank(query, np.arange(40), photos.__getitem__, seconds=1e6)
    np.testing.assert_array_equal(free, timed)
    assert all(v is not None for v in every) and len(every) == len(all_too)
    for bad in (-1, np.nan):
        with pytest.raises(ValueError, match="^seconds: expected"):
            spatial_rerank(query, [1], photos.__getitem__, seconds=bad)
