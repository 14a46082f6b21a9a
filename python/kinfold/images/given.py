"""Photos as programs hold them: arrays of any usual kind, Pillow images, the bytes of a file."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from kinfold.base.arrays import as_ndarray
from kinfold.base.errors import ImageError
from kinfold.images.colour import to_srgb
from kinfold.images.decode import decode, upright
from kinfold.images.exif import orientation
from kinfold.images.resize import Pixels, as_pixels

_EXPECTED = "RGB or grey pixels, uint8 or from 0 to 1"


def given_pixels(photo: Any, name: str = "photo") -> Pixels:
    """A photo that is no file on disk as pixels uint8 (H, W, 3), RGB.

    photo : an array (H, W) or (H, W, 1, 3 or 4), of uint8, uint16 or bool, or of floats from 0 to 1; a Pillow image,
        which is turned upright; the bytes of a file, or an open one. What is transparent becomes white.
    Raises ValueError for anything else, ImageError for bytes that cannot be decoded.

    Examples
    --------
    >>> from kinfold.images.given import given_pixels
    >>> given_pixels(np.array([[0.0, 1.0]]))
    array([[[  0,   0,   0],
            [255, 255, 255]]], dtype=uint8)
    """
    if isinstance(photo, (bytes, bytearray, memoryview)) or hasattr(photo, "read"):
        data = photo.read() if hasattr(photo, "read") else photo
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"{name}: expected a file opened for reading bytes")
        try:
            return decode(bytes(data)).pixels
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
    # Nobody has an image of a package that was never imported.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(photo, pillow.Image):
        return _of_pillow(photo)
    return _of_array(as_ndarray(photo, name), name)


def _of_pillow(image: Any) -> Pixels:
    return upright(to_srgb(image, None), orientation(image.getexif()))


def _of_array(array: Any, name: str) -> Pixels:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] > 4):
        raise _refused(array, name)
    if array.dtype == bool:
        array = array * np.uint8(255)
    elif array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise _refused(array, name)
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise _refused(array, name)
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 4:
        share = array[:, :, 3:].astype(np.float32) / 255
        array = np.rint(array[:, :, :3] * share + 255 * (1 - share)).astype(np.uint8)
    return as_pixels(array, name)


def _refused(array: Any, name: str) -> ValueError:
    numbers = array.size and array.dtype.kind in "uif"
    values = f" with values from {array.min():g} to {array.max():g}" if numbers else ""
    return ValueError(f"{name}: expected {_EXPECTED}, got {array.dtype} {array.shape}{values}")
