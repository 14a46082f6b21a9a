"""Points lie where they say: straight distances along small steps are those between coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.datasets.manifolds import s_curve, swiss_roll, two_moons, two_spirals

EVERY = [swiss_roll, s_curve, two_moons, two_spirals]


@pytest.mark.parametrize("make", EVERY)
def test_coordinates_are_lengths_along_the_manifold(make) -> None:
    points, coordinates, labels = make(6000, noise=0)
    assert points.dtype == np.float32 and labels.dtype == np.int64
    assert set(labels) <= {0, 1}
    for label in set(labels):
        at, along = points[labels == label].astype(np.float64), coordinates[labels == label]
        for origin in range(5):
            steps = np.linalg.norm(along - along[origin], axis=1)
            close = np.argsort(steps)[1:6]
            straight = np.linalg.norm(at[close] - at[origin], axis=1)
            # A chord is shorter than its arc, by little where the step is short.
            assert np.all(straight <= steps[close] * (1 + 1e-3) + 1e-5)
            np.testing.assert_allclose(straight, steps[close], rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("make", EVERY)
def test_seeds_and_noise(make) -> None:
    a, b, c = make(50, seed=4), make(50, seed=4), make(50, seed=5)
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
    assert not np.array_equal(a.points, c.points)
    clean, noisy = make(4000, noise=0).points, make(4000, noise=0.1).points
    assert (noisy - clean).std() == pytest.approx(0.1, rel=0.05)


def test_shapes() -> None:
    roll = swiss_roll(3000)
    radius = np.hypot(roll.points[:, 0], roll.points[:, 2])
    assert radius.min() >= 1.5 * np.pi - 1e-4 and radius.max() <= 4.5 * np.pi + 1e-4
    np.testing.assert_array_equal(roll.points[:, 1], roll.coordinates[:, 1].astype(np.float32))
    spirals = two_spirals(3000, turns=1.5, noise=0)
    assert np.linalg.norm(spirals.points, axis=1).max() == pytest.approx(3.5, rel=1e-3)
    # The arms keep their distance.
    a, b = spirals.points[spirals.labels == 0], spirals.points[spirals.labels == 1]
    gaps = np.linalg.norm(a[:, None] - b[None], axis=2).min(axis=1)
    assert gaps.min() > 0.7
    moons = two_moons(3000, noise=0)
    assert np.allclose(np.linalg.norm(moons.points[moons.labels == 0], axis=1), 1, atol=1e-5)


def test_bad_arguments() -> None:
    for make in EVERY:
        for words, options in {"n: ": {"n": 0}, "noise: ": {"noise": -1}, "seed: ": {"seed": -1}}.items():  # fmt: skip
            with pytest.raises(ValueError, match=words):
                make(**options)
    with pytest.raises(ValueError, match="turns: "):
        two_spirals(turns=0)
