from __future__ import annotations

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
from kinfold.images.colour import to_srgb

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "I",
    "F",
    "I;16",
    "LAB",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_becomes_rgb(mode) -> None:
    pixels = to_srgb(Image.new(mode, (5, 4)))
    assert pixels.shape == (4, 5, 3) and pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LA"])
def test_white_stays_white_and_grey_grey(mode) -> None:
    for level in (255, 128):
        grey = Image.new("RGB", (3, 3), (level,) * 3)
        image = grey.convert("RGBA").convert(mode) if mode == "RGBa" else grey.convert(mode)
        assert np.abs(to_srgb(image).astype(int) - level).max() <= 1


def test_premultiplied_alpha() -> None:
    half = Image.new("RGBA", (2, 2), (200, 0, 0, 128)).convert("RGBa")
    assert np.abs(to_srgb(half)[0, 0].astype(int) - (227, 127, 127)).max() <= 2


def test_signed_and_wide_integers_use_their_own_range() -> None:
    wide = Image.fromarray(np.array([[-100, 0], [100, 100_000]], np.int32))
    assert to_srgb(wide)[..., 0].tolist() == [[0, 0], [1, 255]]
