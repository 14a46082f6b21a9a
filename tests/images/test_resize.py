from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL")
from kinfold.images.resize import as_pixels, fit, fitted_size, resize, to_shorter, uncropped


def test_fit_keeps_aspect_and_never_enlarges() -> None:
    pixels = np.zeros((300, 400, 3), np.uint8)
    assert fit(pixels, 200).shape == (150, 200, 3)
    assert fit(pixels.transpose(1, 0, 2), 200).shape == (200, 150, 3)
    assert fit(pixels, 400) is pixels
    assert fit(pixels, 5000).shape == (300, 400, 3)
    assert fitted_size(1, 10_000, 100) == (1, 100)
    assert fitted_size(3, 2, 1) == (1, 1)


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_reduction_averages_over_the_area(factor, rng) -> None:
    """No aliasing: noise of every frequency shrinks towards its mean."""
    noise = rng.integers(0, 256, (210, 210, 3), dtype=np.uint8)
    small = resize(noise, 210 // factor, 210 // factor)
    assert small.dtype == np.uint8 and small.flags.c_contiguous
    assert abs(small.mean() - noise.mean()) < 1
    assert small.std() < noise.std() / factor * 1.6
    stripes = np.zeros((210, 210, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = resize(stripes, 42, 42)[3:-3, 3:-3]
    assert np.abs(inner.astype(int) - 127).max() < 25


def test_smooth_pictures_keep_their_place(rng) -> None:
    x = np.linspace(0, 255, 400)
    ramp = np.broadcast_to(x[None, :, None], (300, 400, 3)).astype(np.uint8)
    small = fit(ramp, 100)
    expected = np.linspace(255 * 1.5 / 399, 255 * 397.5 / 399, 100)
    assert np.abs(small[40, :, 0] - expected)[2:-2].max() < 2


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        "a",
    ],
)
def test_bad_pixels(bad) -> None:
    for call in (as_pixels, lambda p: fit(p, 3), lambda p: resize(p, 2, 2)):
        with pytest.raises(ValueError, match="pixels: expected RGB pixels uint8"):
            call(bad)


@pytest.mark.parametrize("side", [0, -1, 1.5, "many"])
def test_bad_sizes(side) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="max_side"):
        fit(pixels, side)
    with pytest.raises(ValueError, match="width"):
        resize(pixels, side, 2)
    with pytest.raises(ValueError, match="height"):
        resize(pixels, 2, side)


def test_the_shorter_side_is_brought_to_a_length(rng) -> None:
    pixels = rng.integers(0, 256, (40, 61, 3), dtype=np.uint8)
    assert to_shorter(pixels, 20).shape == (20, 30, 3)
    assert to_shorter(pixels.swapaxes(0, 1), 80).shape == (122, 80, 3)
    assert np.array_equal(to_shorter(pixels, 40), pixels)
    assert np.array_equal(to_shorter(pixels, 20), resize(pixels, 30, 20))
    assert (uncropped(224), uncropped(96)) == (256, 110)
