from __future__ import annotations

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
from PIL import ImageCms

from kinfold.images import colour
from kinfold.images.colour import to_srgb
from kinfold.images.resize import fit

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


def of_mode(mode: str, rng: np.random.Generator) -> object:
    noise = rng.integers(0, 256, (23, 31, 4)).astype(np.uint8)
    if mode in ("I", "F"):
        return Image.fromarray(
            (noise[..., 0].astype({"I": np.int32, "F": np.float32}[mode]) - 9) * 700
        )
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * 250)
    rgba = Image.fromarray(noise)
    if mode == "LAB":
        return Image.merge("LAB", rgba.split()[:3])
    if mode == "PA":
        return rgba.convert("RGB").quantize(9).convert("PA")
    between = {"La": "LA", "RGBa": "RGBA", "HSV": "RGB"}.get(mode, mode)
    return rgba.convert(between).convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("profile", [False, True])
def test_large_images_are_converted_by_bands_that_do_not_show(
    mode, profile, rng, monkeypatch
) -> None:
    image = of_mode(mode, rng)
    if profile:
        swapped = ImageCms.ImageCmsProfile(
            ImageCms.createProfile("LAB" if mode == "LAB" else "sRGB")
        )
        image.info["icc_profile"] = swapped.tobytes().replace(b"s\0R\0G\0B", b"o\0d\0d\0 ")
    if mode in ("1", "L", "RGB", "I;16"):
        image.info["transparency"] = image.getpixel((5, 9))
    whole = to_srgb(image)
    small = to_srgb(image, 12)
    np.testing.assert_array_equal(small, fit(whole, 12))
    monkeypatch.setattr(colour, "_BAND_PIXELS", 31 * 4)
    np.testing.assert_array_equal(to_srgb(image), whole)
    np.testing.assert_array_equal(to_srgb(image, 12), small)
