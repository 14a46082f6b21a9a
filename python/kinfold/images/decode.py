"""Files to pixels: upright, sRGB, 8 bit, on white. Whatever a file holds, the answer is pixels or ImageError."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.images.colour import to_srgb
from kinfold.images.exif import PhotoInfo, orientation, photo_info
from kinfold.images.quiet import quiet
from kinfold.images.resize import Pixels, as_pixels, fit, fitted_size

# The only parsers that foreign bytes reach, by Pillow's names.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "HEIF")
# Phones take photos of 199.8 megapixels.
MAX_PIXELS = 200_000_000
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@dataclass(frozen=True)
class Decoded:
    """A decoded photo.

    pixels : uint8 (H, W, 3), RGB, upright
    full_size : width and height of the upright original
    info : what EXIF tells
    """

    pixels: Pixels
    full_size: tuple[int, int]
    info: PhotoInfo


def decode(
    source: str | os.PathLike[str] | bytes,
    *,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Decoded:
    """Decode a photo.

    Turned upright by EXIF, embedded colour profiles converted to sRGB, 16 bit reduced to 8, alpha flattened on
    white, the first frame of animations.

    source : path, or the bytes of a file
    max_side : reduce so that the longer side is at most this; None for the original size
    max_pixels : photos that claim more are refused before anything is decoded
    Raises ImageError with a short reason.
    """
    most = None if max_side is None else as_count(max_side, "max_side")
    limit = as_count(max_pixels, "max_pixels")
    require("PIL.Image")
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        raise ValueError(f"source: expected a path or bytes, got {type(source).__name__}")
    with quiet(), _stream(source) as file:
        try:
            return _decode(file, most, limit)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError("too large for the memory that is there", "memory") from None
        except Exception as error:  # decoders of foreign bytes raise anything
            if isinstance(error, OSError) and _is_systems(error):
                raise _unreadable(error) from error
            raise ImageError(_reason(error)) from error


def thumbnail_jpeg(pixels: Any, max_side: int = 320, quality: int = 80) -> bytes:
    """Pixels uint8 (H, W, 3) as a small JPEG file."""
    small = fit(as_pixels(pixels), max_side)
    level = as_count(quality, "quality", most=100)
    file = io.BytesIO()
    require("PIL.Image").fromarray(small).save(file, "JPEG", quality=level, optimize=True)
    return file.getvalue()


@contextlib.contextmanager
def _stream(source: str | os.PathLike[str] | bytes) -> Iterator[BinaryIO]:
    if not isinstance(source, (str, os.PathLike)):
        yield io.BytesIO(source)
        return
    try:
        path = Path(source)
        # A pipe or device would wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError("not a regular file")
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(error) from error
    except ValueError as error:  # a NUL in the name
        raise ImageError(f"cannot be read: {error}") from error
    with file:
        yield file


def _decode(file: BinaryIO, max_side: int | None, max_pixels: int) -> Decoded:
    image = _open(file)
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"too many pixels: {width} x {height}, more than {max_pixels:,}")
    drafted = False
    if max_side is not None and image.format in ("JPEG", "MPO"):
        # The JPEG library scales by 1/2, 1/4, 1/8 while decoding, for less time and memory.
        drafted = image.draft(None, fitted_size(width, height, max_side)) is not None
    image.load()
    # Asked after loading: TIFF is turned by its own reader, PNG may hold EXIF behind the pixels.
    try:
        exif = image.getexif()
    except Exception:  # a parser of foreign bytes raises anything
        exif = {}
    turn = orientation(exif)
    if not drafted:
        width, height = image.size
    pixels = to_srgb(image)
    if max_side is not None:
        pixels = fit(pixels, max_side)
    return Decoded(
        _upright(pixels, turn),
        (height, width) if turn >= 5 else (width, height),
        photo_info(exif),
    )


def _open(file: BinaryIO) -> Any:
    """The image, not yet decoded.

    Calls the parsers of the allow-list as ``PIL.Image.open`` does, without its pixel limit, which cannot be
    set for one call alone and lies below the largest photos of today.
    """
    image = require("PIL.Image")
    image.init()
    head = file.read(16)
    if not head:
        raise ImageError("empty file")
    heic = head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS
    if heic and "HEIF" not in image.OPEN:
        try:
            require("pillow_heif").register_heif_opener()
        except ImportError:
            raise ImageError(
                "HEIC needs the package pillow-heif: pip install pillow-heif", "decoder"
            ) from None
    failure: Exception | None = None
    lacking = None
    for name in FORMATS:
        parser, accepts = image.OPEN.get(name, (None, None))
        accepted = parser is not None and (accepts is None or accepts(head))
        # A text says that Pillow was built without this format.
        if isinstance(accepted, str):
            lacking = f"Pillow was built without {name}"
        if not accepted or isinstance(accepted, str):
            continue
        file.seek(0)
        try:
            return parser(file, "")
        except Exception as error:  # what is not this format, or broken
            if isinstance(error, MemoryError) or _is_systems(error):
                raise
            failure = error
    if lacking is not None:
        raise ImageError(lacking, "decoder")
    if failure is None:
        raise ImageError("not a known image format")
    raise ImageError(f"not a readable image: {_reason(failure)}") from failure


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo an EXIF orientation."""
    if turn >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _is_systems(error: Exception) -> bool:
    """Whether reading failed, not decoding: decoders raise OSError without a number, or seek where a file says (EINVAL)."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _unreadable(error: OSError) -> ImageError:
    return ImageError(f"cannot be read: {error.strerror or error}", "access")


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0].strip()[:200] if str(error).strip() else ""
    if isinstance(error, EOFError) or "truncated" in text.lower():
        return f"truncated: {text}" if text else "truncated"
    return text or type(error).__name__
