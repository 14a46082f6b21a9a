from __future__ import annotations

import numpy as np
import pytest

from kinfold.local.hog import CHANNELS, hog


@pytest.fixture
def grey(rng):
    return rng.uniform(0, 1, (40, 56)).astype(np.float32)


def test_by_a_loop_over_pixels(grey) -> None:
    """The definition, one pixel and one cell after the other."""
    cell, (height, width) = 4, grey.shape
    rows, columns = height // cell, width // cell
    votes = np.zeros((rows, columns, 18))
    for y in range(height):
        for x in range(width):
            dx = float(grey[y, min(x + 1, width - 1)]) - float(grey[y, max(x - 1, 0)])
            dy = float(grey[min(y + 1, height - 1), x]) - float(grey[max(y - 1, 0), x])
            direction = round(np.arctan2(dy, dx) / (2 * np.pi) * 18) % 18
            for r in range(rows):
                for c in range(columns):
                    down = 1 - abs((y + 0.5) / cell - (r + 0.5))
                    across = 1 - abs((x + 0.5) / cell - (c + 0.5))
                    if down > 0 and across > 0:
                        votes[r, c, direction] += down * across * np.hypot(dx, dy)
    both = np.concatenate([votes, votes[..., :9] + votes[..., 9:]], axis=2)
    energy = (both[..., 18:] ** 2).sum(axis=2)
    expected = np.zeros((rows, columns, CHANNELS))
    for r in range(rows):
        for c in range(columns):
            blocks = [(-1, -1), (-1, 0), (0, -1), (0, 0)]
            for number, (up, left) in enumerate(blocks):
                total = sum(
                    energy[np.clip(r + up + i, 0, rows - 1), np.clip(c + left + j, 0, columns - 1)]
                    for i in (0, 1)
                    for j in (0, 1)
                )
                cut = np.minimum(both[r, c] / np.sqrt(total + 1e-4), 0.2)
                expected[r, c, :27] += cut / 2
                expected[r, c, 27 + number] = cut[:18].sum() / np.sqrt(18)
    found = hog(grey)
    assert found.shape == (10, 14, 31)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_one_cell_along_is_one_cell_along(rng) -> None:
    image = rng.uniform(0, 1, (64, 64))
    np.testing.assert_allclose(
        hog(image[:, 4:-4])[2:-2, 3:-3], hog(image[:, :-8])[2:-2, 4:-2], atol=1e-4
    )


def test_contrast_does_not_matter(grey) -> None:
    np.testing.assert_allclose(hog(100 * grey + 7), hog(10 * grey), atol=1e-3)


def test_the_negative_turns_signed_directions_round_and_no_others(grey) -> None:
    found, negative = hog(grey), hog(-grey)
    np.testing.assert_allclose(negative[..., :18], np.roll(found[..., :18], 9, axis=2), atol=1e-5)
    np.testing.assert_allclose(negative[..., 18:], found[..., 18:], atol=1e-5)


def test_flat_is_zero_and_odd_sizes_are_cut() -> None:
    assert not hog(np.full((20, 23), 9, np.uint8)).any()
    assert hog(np.zeros((20, 23)), cell=5).shape == (4, 4, 31)


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 20)), np.zeros((20, 20, 3)), np.array([["a"] * 9] * 9)]
)
def test_bad_images(bad) -> None:
    with pytest.raises(ValueError, match="grey"):
        hog(bad)
