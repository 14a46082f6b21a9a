from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.aberration import PROJECTION, centred, without_aberration


def test_the_projection_is_that_of_the_paper() -> None:
    a = np.array([[-1.0, 2.0, -1.0]])
    assert np.allclose(PROJECTION, np.eye(3) - a.T @ a / (a @ a.T))
    assert np.allclose(PROJECTION @ [-1, 2, -1], 0, atol=1e-6), "green against magenta is gone"
    assert np.allclose(PROJECTION @ [5, 5, 5], 5), "grey stays"
    assert np.allclose(PROJECTION @ [1, 0, -1], [1, 0, -1]), "red against blue stays"


def test_green_at_another_place_is_not_seen(rng) -> None:
    """Green moved by a pixel against red and blue: what is left of it is grey."""
    grey = rng.integers(0, 256, (1, 16, 16)).astype(np.float32)
    moved = np.stack([grey, np.roll(grey, 1, axis=2), grey], axis=-1)
    hidden = without_aberration(moved, "projection", rng)
    assert np.abs(hidden - hidden.mean(axis=-1, keepdims=True)).max() < 1e-3, "no colour is left"
    shown = without_aberration(moved, "keep", rng)
    assert np.abs(shown - shown.mean(axis=-1, keepdims=True)).max() > 50


def test_two_colours_are_dropped(rng) -> None:
    patches = rng.integers(0, 256, (300, 8, 8, 3)).astype(np.uint8)
    hidden = without_aberration(patches, "drop", rng)
    there = np.abs(hidden).max(axis=(1, 2)) > 0.5
    assert (there.sum(axis=1) == 1).all()
    assert (np.bincount(there.argmax(axis=1), minlength=3) > 60).all(), "each colour now and then"
    kept = patches - patches.mean(axis=(1, 2), keepdims=True)
    first = [array.transpose(0, 3, 1, 2) for array in (hidden, kept)]
    assert np.allclose(first[0][there], first[1][there], atol=1e-3)
    noise = first[0][~there]
    assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(12**-0.5, abs=0.01)


def test_patches_are_centred_and_what_came_stays(rng) -> None:
    patches = rng.integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
    before = patches.copy()
    slow = np.stack([[p[..., c] - p[..., c].mean() for c in range(3)] for p in patches])
    assert np.allclose(centred(patches).transpose(0, 3, 1, 2), slow, atol=1e-3)
    assert np.array_equal(patches, before)
    with pytest.raises(ValueError, match="colour: expected one of projection, drop, keep"):
        without_aberration(patches, "grey", rng)
