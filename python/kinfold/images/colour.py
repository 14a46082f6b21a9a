"""Every kind of pixel to RGB, sRGB, 8 bit, on white."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.images.resize import Pixels, fit_image

# Modes with alpha, and the mode that their colour alone has.
_WITHOUT_ALPHA = {"RGBA": "RGB", "RGBa": "RGB", "LA": "L", "La": "L", "PA": "RGB"}
_SPACE_OF = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "LAB"}
# Larger images are converted some rows at a time: what lies between two modes is then no image of its own.
_BAND_PIXELS = 1 << 20


def to_srgb(image: Any, max_side: int | None = None) -> Pixels:
    """A loaded Pillow image of any mode as sRGB pixels uint8 (H, W, 3), the longer side at most max_side.

    Takes at most 8 bytes a pixel of the image beside it.
    """
    image = _by_bands(image, _conversion(image))
    if max_side is not None:
        image = fit_image(image, max_side)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top, band in _bands(image):
        pixels[top : top + band.height] = np.asarray(band.convert("RGB"))
    return pixels


def _conversion(image: Any) -> Callable[[Any], Any] | None:
    """What makes sRGB, or grey, of an image or a part of it; None where it is that already."""
    profile = image.info.get("icc_profile")
    if image.mode in ("RGB", "L") and not profile and "transparency" not in image.info:
        return None
    to_space = _ProfileConversion(profile) if profile else None
    reduce = _reduction(image) if _is_deep(image) else None

    def convert(part: Any) -> Any:
        alpha = None
        if reduce is not None:
            part, alpha = reduce(part)
        elif part.mode in ("P", "PA") or "transparency" in part.info:
            # RGBA also where nothing is transparent: Pillow knows of palettes with and without.
            part = part.convert("RGBA")
        elif part.mode == "1":
            part = part.convert("L")
        if part.mode in _WITHOUT_ALPHA:
            straight = part.convert({"RGBa": "RGBA", "La": "LA"}.get(part.mode, part.mode))
            alpha = straight.getchannel("A")
            part = straight.convert(_WITHOUT_ALPHA[part.mode])
        if to_space is not None:
            part = to_space(part)
        rgb = part if part.mode == "RGB" else part.convert("RGB")
        if alpha is not None and alpha.getextrema() != (255, 255):
            white = require("PIL.Image").new("RGB", rgb.size, (255, 255, 255))
            white.paste(rgb, (0, 0), alpha)
            rgb = white
        return rgb

    return convert


def _by_bands(image: Any, convert: Callable[[Any], Any] | None) -> Any:
    if convert is None:
        return image
    whole = None
    for top, band in _bands(image):
        part = convert(band)
        if part.size == image.size:
            return part
        whole = whole or require("PIL.Image").new(part.mode, image.size)
        whole.paste(part, (0, top))
    return whole


def _bands(image: Any) -> Iterator[tuple[int, Any]]:
    """The image as parts of full width, each with its first row."""
    width, height = image.size
    rows = max(1, _BAND_PIXELS // width)
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


class _ProfileConversion:
    """To sRGB; unchanged where the profile is sRGB, does not fit the image, or is nonsense."""

    def __init__(self, profile: bytes) -> None:
        self._transforms: dict[str, Any] = {}
        self._profile = profile

    def __call__(self, image: Any) -> Any:
        try:
            cms = require("PIL.ImageCms")
            if image.mode not in self._transforms:
                self._transforms[image.mode] = self._transform(cms, image.mode)
            transform = self._transforms[image.mode]
            return image if transform is None else cms.applyTransform(image, transform)
        except Exception:
            # The colour library on foreign bytes: better a photo in slightly wrong colours than none.
            self._transforms[image.mode] = None
            return image

    def _transform(self, cms: Any, mode: str) -> Any:
        source = cms.ImageCmsProfile(io.BytesIO(self._profile))
        described = (source.profile.profile_description or "").lower()
        space = source.profile.xcolor_space.strip().upper()
        if space != _SPACE_OF.get(mode) or (space == "RGB" and "srgb" in described):
            return None
        return cms.buildTransform(source, cms.createProfile("sRGB"), mode, "RGB")


def _is_deep(image: Any) -> bool:
    """Whether an image is grey of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def _reduction(image: Any) -> Callable[[Any], tuple[Any, Any]]:
    """What makes 8 bits of grey of more, and its alpha or None.

    16 bit to the upper 8; floats in [0, 1] or [0, 255], others, and wider integers from their own range.
    """
    whole, low, high = True, np.inf, -np.inf
    for _, band in _bands(image):
        values: NDArray[Any] = np.asarray(band)
        whole = whole and values.dtype.kind in "ui"
        values = values if whole else _finite(values)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    transparent = image.info.get("transparency")

    def reduce(part: Any) -> tuple[Any, Any]:
        values: NDArray[Any] = np.asarray(part)
        if whole and low >= 0 and high <= 65535:
            grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        else:
            grey = _stretched(_finite(values), low, high)
        from_array = require("PIL.Image").fromarray
        alpha = None
        if isinstance(transparent, int):
            alpha = from_array(np.where(values == transparent, 0, 255).astype(np.uint8))
        return from_array(grey), alpha

    return reduce


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _stretched(grey: NDArray[np.float64], low: float, high: float) -> Pixels:
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scaled = (grey - low) * (255 / (high - low)) if high > low else np.zeros_like(grey)
    return np.round(scaled).astype(np.uint8)
