"""Raw photos: the sensor's own data, developed by LibRaw, or the picture that the camera put beside it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.errors import ImageError, MissingExtraError
from kinfold.base.extras import require
from kinfold.images.exif import PhotoInfo, photo_info
from kinfold.images.resize import Pixels, fit

# What a camera makes: endings of names. Most of them are TIFF files of which a decoder of TIFF sees a small preview.
RAW = (
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl",
    ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
# LibRaw's flip: half a turn, and a quarter either way, as ``np.rot90`` counts them.
_TURNS = {3: 2, 5: 1, 6: 3}


def is_raw(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name says that it is a raw photo."""
    return os.path.splitext(os.fspath(path))[1].lower() in RAW


def decode_raw(
    path: Path, max_side: int | None, check: Callable[[int, int], None]
) -> tuple[Pixels, tuple[int, int], PhotoInfo]:
    """The upright pixels of a raw photo, its full size, and what its EXIF tells.

    The camera's own picture where one as large as ``max_side`` is there, which costs a fraction; else developed with
    the camera's white balance, at half the size where that is enough.
    check : raises for a width and a height that the file should not claim
    Raises ImageError with a short reason; LibRaw raises what it may.
    """
    try:
        rawpy = require("rawpy")
    except MissingExtraError:
        raise ImageError(
            "raw photos need the package rawpy: pip install 'kinfold[raw]'", "decoder"
        ) from None
    with rawpy.imread(os.fspath(path)) as raw:
        turns = _TURNS.get(raw.sizes.flip, 0)
        size = raw.sizes.width, raw.sizes.height
        check(*size)
        if max_side is not None and (shown := _shown(rawpy, raw, max_side, check)) is not None:
            pixels = np.rot90(shown, turns)
        else:
            half = max_side is not None and max(size) >= 2 * max_side
            # Turned by LibRaw.
            pixels = raw.postprocess(use_camera_wb=True, half_size=half, output_bps=8)
    upright = np.ascontiguousarray(pixels)
    full = (size[1], size[0]) if turns % 2 else size
    return upright if max_side is None else fit(upright, max_side), full, _info(path)


def _shown(rawpy: Any, raw: Any, max_side: int, check: Callable[[int, int], None]) -> Pixels | None:
    """The picture in the file, as the sensor lies, if it is large enough and shows all that the sensor saw."""
    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumb.format == rawpy.ThumbFormat.BITMAP:
        pixels: Pixels = thumb.data
    elif thumb.format == rawpy.ThumbFormat.JPEG:
        with require("PIL.Image").open(io.BytesIO(thumb.data), formats=("JPEG",)) as image:
            if max(image.size) < max_side:
                return None
            check(*image.size)
            image.draft("RGB", (max_side, max_side))
            pixels = np.asarray(image.convert("RGB"))
    else:
        return None
    height, width = pixels.shape[:2]
    ours, theirs = width / height, raw.sizes.width / raw.sizes.height
    whole = max(width, height) >= max_side and abs(np.log(ours / theirs)) < 0.05
    return np.ascontiguousarray(pixels) if whole else None


def _info(path: Path) -> PhotoInfo:
    """What EXIF tells, where the file is built as TIFF."""
    exif = require("PIL.Image").Exif()
    try:
        with path.open("rb") as file:
            exif.load_from_fp(file)
        return photo_info(exif)
    except Exception:  # a parser of foreign bytes raises anything
        return PhotoInfo()
