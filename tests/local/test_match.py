"""Tentative correspondences against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.local.match import match
from kinfold.local.sift import root_sift


def features(descriptors: np.ndarray, positions: np.ndarray | None = None) -> LocalFeatures:
    n = len(descriptors)
    if positions is None:
        positions = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    ones = np.ones(n, np.float32)
    return LocalFeatures(positions.astype(np.float32), ones, 0 * ones, descriptors)


def by_loop(
    query: LocalFeatures, photo: LocalFeatures, ratio: float, mutual: bool
) -> set[tuple[int, int]]:
    a, b = root_sift(query.descriptors), root_sift(photo.descriptors)
    distances = np.sqrt(np.maximum(0, 2 - 2 * (a.astype(np.float64) @ b.T.astype(np.float64))))
    found = {}
    for i in range(len(a)):
        j = int(distances[i].argmin())
        rivals = [
            distances[i, m]
            for m in range(len(b))
            if (photo.positions[m] != photo.positions[j]).any()
        ]
        if ratio < 1 and rivals and not distances[i, j] < ratio * min(rivals):
            continue
        if mutual and int(distances[:, j].argmin()) != i:
            continue
        if j not in found or distances[i, j] < distances[found[j], j]:
            found[j] = i
    return {(i, j) for j, i in found.items()}


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("ratio", [0.7, 0.85, 1.0])
def test_agrees_with_a_slow_loop(ratio: float, mutual: bool, rng: np.random.Generator) -> None:
    base = rng.integers(0, 256, (40, 128), dtype=np.uint8)
    noisy = np.clip(base + rng.normal(0, 25, base.shape), 0, 255).astype(np.uint8)
    other = rng.integers(0, 256, (30, 128), dtype=np.uint8)
    query, photo = features(base), features(np.concatenate([noisy[10:], other]))
    got = match(query, photo, ratio=ratio, mutual=mutual)
    assert got.dtype == np.int64 and (np.diff(got[:, 0]) > 0).all()
    assert len(set(got[:, 1].tolist())) == len(got)
    assert {(int(a), int(b)) for a, b in got} == by_loop(query, photo, ratio, mutual)
    assert len(got) >= 25


def test_a_second_orientation_is_no_rival(rng: np.random.Generator) -> None:
    one = rng.integers(0, 256, (1, 128), dtype=np.uint8)
    twin = np.clip(one.astype(int) + 3, 0, 255).astype(np.uint8)
    far = rng.integers(0, 256, (1, 128), dtype=np.uint8)
    photo = features(np.concatenate([one, twin, far]), np.array([[5, 5], [5, 5], [9, 9]]))
    assert match(features(one), photo, ratio=0.8).tolist() == [[0, 0]]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_one_place_or_nothing(ratio: float, rng: np.random.Generator) -> None:
    some = features(rng.integers(0, 256, (3, 128), dtype=np.uint8))
    none = features(np.empty((0, 128), np.uint8))
    for a, b in ((some, none), (none, some), (none, none)):
        assert match(a, b, ratio=ratio).shape == (0, 2)
    single = features(some.descriptors[:1])
    assert len(match(some, single, ratio=ratio)) <= 1
    blank = features(np.zeros((2, 128), np.uint8))
    assert match(blank, blank, ratio=ratio).shape[1] == 2


def test_bad_ratio() -> None:
    some = features(np.ones((2, 128), np.uint8))
    with pytest.raises(ValueError, match="^ratio: expected"):
        match(some, some, ratio=1.5)
