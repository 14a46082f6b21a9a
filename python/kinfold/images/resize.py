"""Resizing of decoded pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_ndarray
from kinfold.base.extras import require

Pixels = NDArray[np.uint8]


def as_pixels(pixels: Any, name: str = "pixels") -> Pixels:
    """A C-contiguous uint8 array (H, W, 3) with at least one pixel, or ValueError."""
    array = as_ndarray(pixels, name)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ValueError(
            f"{name}: expected RGB pixels uint8 (H, W, 3), got {array.dtype} {array.shape}"
        )
    return np.ascontiguousarray(array)


def fitted_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Width and height with the longer side at most max_side: aspect kept, never enlarged, never 0."""
    longer = max(width, height)
    if longer <= max_side:
        return width, height
    return (
        max(1, round(width * max_side / longer)),
        max(1, round(height * max_side / longer)),
    )


def fit(pixels: Any, max_side: int) -> Pixels:
    """Reduce RGB pixels uint8 (H, W, 3) so that the longer side is at most max_side; never enlarges."""
    array = as_pixels(pixels)
    most = as_count(max_side, "max_side")
    height, width = array.shape[:2]
    size = fitted_size(width, height, most)
    return array if size == (width, height) else resize(array, *size)


def uncropped(side: int) -> int:
    """The shorter side of a photo of which a square is cut: 256 pixels for 224 (Krizhevsky et al., NIPS 2012)."""
    return round(side * 8 / 7)


def to_shorter(pixels: Any, shorter: int) -> Pixels:
    """RGB pixels uint8 (H, W, 3) with the shorter side brought to this; aspect kept."""
    array = as_pixels(pixels)
    scale = shorter / min(array.shape[:2])
    height, width = (max(shorter, round(length * scale)) for length in array.shape[:2])
    return array if (height, width) == array.shape[:2] else resize(array, width, height)


def resize(pixels: Any, width: int, height: int) -> Pixels:
    """RGB pixels uint8 (H, W, 3) at another size: Lanczos over the area that each new pixel covers."""
    array = as_pixels(pixels)
    size = (as_count(width, "width"), as_count(height, "height"))
    return np.array(_resized(require("PIL.Image").fromarray(array), size))


def fit_image(image: Any, max_side: int) -> Any:
    """``fit`` for a Pillow image."""
    size = fitted_size(image.width, image.height, max_side)
    return image if size == image.size else _resized(image, size)


def _resized(image: Any, size: tuple[int, int]) -> Any:
    lanczos = require("PIL.Image").Resampling.LANCZOS
    # reducing_gap: whole-number box reduction first, which changes little and saves most of the time.
    return image.resize(size, lanczos, reducing_gap=3.0)
