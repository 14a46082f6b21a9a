"""Every kind of pixel to RGB, sRGB, 8 bit, on white."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.images.resize import Pixels

# Modes with alpha, and the mode that their colour alone has.
_WITHOUT_ALPHA = {"RGBA": "RGB", "RGBa": "RGB", "LA": "L", "La": "L", "PA": "RGB"}
_SPACE_OF = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "LAB"}


def to_srgb(image: Any) -> Pixels:
    """A loaded Pillow image of any mode as sRGB pixels uint8 (H, W, 3)."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = require("PIL.Image").fromarray(_to_8_bit(image))
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        # RGBA also where nothing is transparent: Pillow knows of palettes with and without.
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    alpha = None
    if image.mode in _WITHOUT_ALPHA:
        straight = image.convert({"RGBa": "RGBA", "La": "LA"}.get(image.mode, image.mode))
        alpha = straight.getchannel("A")
        image = straight.convert(_WITHOUT_ALPHA[image.mode])
    if profile:
        image = _convert_profile(image, profile)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):
        white = require("PIL.Image").new("RGB", rgb.size, (255, 255, 255))
        white.paste(rgb, (0, 0), alpha)
        rgb = white
    return np.array(rgb)


def _convert_profile(image: Any, profile: bytes) -> Any:
    """The image in sRGB; unchanged where the profile is sRGB, does not fit the image, or is nonsense."""
    try:
        cms = require("PIL.ImageCms")
        source = cms.ImageCmsProfile(io.BytesIO(profile))
        described = (source.profile.profile_description or "").lower()
        space = source.profile.xcolor_space.strip().upper()
        if space != _SPACE_OF.get(image.mode) or (space == "RGB" and "srgb" in described):
            return image
        return cms.profileToProfile(image, source, cms.createProfile("sRGB"), outputMode="RGB")
    except Exception:
        # The colour library on foreign bytes: better a photo in slightly wrong colours than none.
        return image


def _to_8_bit(image: Any) -> Pixels:
    """Grey of more than 8 bits: 16 bit to the upper 8; floats in [0, 1] or [0, 255], others, and wider
    integers from their own range."""
    values: NDArray[Any] = np.asarray(image)
    if values.dtype.kind in "ui" and values.size and values.min() >= 0 and values.max() <= 65535:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scaled = (grey - low) * (255 / (high - low)) if high > low else np.zeros_like(grey)
    return np.round(scaled).astype(np.uint8)
