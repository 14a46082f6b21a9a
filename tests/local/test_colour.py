"""Colours around local features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from kinfold.base.local_features import LocalFeatures
from kinfold.local.colour import WIDTH, colour_vectors, colours
from kinfold.local.sift import SIFT


def features(positions, scales, angles) -> LocalFeatures:
    n = len(positions)
    return LocalFeatures(
        np.array(positions, np.float32), np.array(scales, np.float32), np.array(angles, np.float32),
        np.zeros((n, 128), np.uint8),
    )  # fmt: skip


def test_one_colour_everywhere() -> None:
    pixels = np.full((40, 60, 3), (200, 30, 90), np.uint8)
    lab = cv2.cvtColor(pixels[:1, :1], cv2.COLOR_RGB2Lab).ravel()
    found = colours(pixels, features([(5, 5), (59, 39), (30, 20)], [1, 40, 6], [0, 1, 2]))
    assert found.dtype == np.uint8 and found.shape == (3, WIDTH)
    np.testing.assert_array_equal(found.reshape(3, -1, 3), np.broadcast_to(lab, (3, 9, 3)))
    vectors = colour_vectors(found).reshape(3, -1, 3)
    np.testing.assert_allclose(vectors[..., 0], 0, atol=1e-5)
    np.testing.assert_allclose(vectors[..., 1:], np.broadcast_to(lab[1:] - 128.0, (3, 9, 2)))


def test_places_turn_and_grow_with_the_feature() -> None:
    """Four quarters of different colours around (50, 50): the inner places see one each."""
    pixels = np.zeros((101, 101, 3), np.uint8)
    quarters = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    for place, colour in zip(((51, 51), (51, 0), (0, 0), (0, 51)), quarters):
        # y, x: right below, left below, left above, right above: the order of growing angles, y down.
        y, x = place
        pixels[y : y + 50, x : x + 50] = colour
    lab = cv2.cvtColor(np.uint8([quarters]), cv2.COLOR_RGB2Lab)[0]
    for scale in (1.0, 3.0):
        for quarter in range(4):
            seen = colours(pixels, features([(50, 50)], [scale], [quarter * np.pi / 2]))
            inner = seen.reshape(9, 3)[1:5]
            expected = np.roll(lab, -quarter, axis=0)
            assert np.abs(inner.astype(int) - expected).max() < 40
            nearest = np.abs(inner[:, None].astype(int) - lab).sum(axis=2).argmin(axis=1)
            assert nearest.tolist() == np.roll(range(4), -quarter).tolist()


def test_a_turned_photo_has_the_same_colours(rng) -> None:
    small = rng.integers(0, 256, (5, 5, 3), np.uint8)
    pixels = cv2.resize(small, (241, 241), interpolation=cv2.INTER_CUBIC)
    n = 30
    own = features(rng.uniform(90, 150, (n, 2)), rng.uniform(1, 4, n), rng.uniform(0, 6, n))
    x, y = own.positions.T
    # np.rot90 takes (x, y) to (y, 240 - x), and directions by -90 degrees, y down.
    turned = replace(
        own, positions=np.stack([y, 240 - x], 1), angles=(own.angles - np.pi / 2).astype(np.float32)
    )
    a = colours(pixels, own).astype(int)
    b = colours(np.ascontiguousarray(np.rot90(pixels)), turned).astype(int)
    assert np.abs(a - b).mean() < 3


def test_only_pixels_within_the_array_count(rng) -> None:
    pixels = rng.integers(0, 256, (50, 50, 3), np.uint8)
    found = colours(pixels, features([(0, 0), (49, 49)], [30, 30], [0, 0]))
    assert found.shape == (2, WIDTH)
    one = colours(pixels[:1, :1], features([(0, 0)], [5], [1]))
    lab = cv2.cvtColor(pixels[:1, :1], cv2.COLOR_RGB2Lab).ravel()
    np.testing.assert_array_equal(one.reshape(9, 3), np.broadcast_to(lab, (9, 3)))


def test_a_photo_and_none_of_its_features(rng) -> None:
    pixels = np.full((64, 64, 3), 9, np.uint8)
    none = SIFT().extract(pixels)
    assert colours(pixels, none).shape == (0, WIDTH)
    assert colour_vectors(np.empty((0, WIDTH), np.uint8)).shape == (0, WIDTH)


@pytest.mark.parametrize(("shape", "kind"), [((4, 4), "u1"), ((4, 4, 3), "f8"), ((0, 4, 3), "u1")])
def test_bad_pixels(shape, kind) -> None:
    pixels = np.zeros(shape, kind)
    with pytest.raises(ValueError, match="^pixels: expected uint8"):
        colours(pixels, features([(1, 1)], [1], [0]))


@pytest.mark.parametrize("stored", [np.zeros((4, 3), np.uint8), np.zeros((4, WIDTH))])
def test_bad_colours(stored) -> None:
    with pytest.raises(ValueError, match="^colours: expected uint8"):
        colour_vectors(stored)
