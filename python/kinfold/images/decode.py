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
from kinfold.images.caption import NOTHING, Caption, caption_of
from kinfold.images.colour import to_srgb
from kinfold.images.exif import PhotoInfo, orientation, photo_info
from kinfold.images.jpeg import checked_jpeg, load_jpeg
from kinfold.images.quiet import quiet
from kinfold.images.raw import decode_raw, is_raw
from kinfold.images.resize import Pixels, as_pixels, fit, fitted_size

# The only parsers that foreign bytes reach, by Pillow's names.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "HEIF")
# Phones take photos of 199.8 megapixels.
MAX_PIXELS = 200_000_000
# What a small file may claim: blank pages and drawings hold hundreds of pixels a byte, photos some ten at most.
_PIXELS_OF_ANY_FILE = 50_000_000
_PIXELS_OF_A_BYTE = 100
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_CONTAINER_BRANDS = {b"mif1", b"msf1"}


@dataclass(frozen=True)
class Decoded:
    """A decoded photo.

    pixels : uint8 (H, W, 3), RGB, upright
    full_size : width and height of the upright original
    info : what EXIF tells
    note : what is wrong with a file that could be decoded nevertheless; empty for a sound one
    caption : what people wrote into it
    """

    pixels: Pixels
    full_size: tuple[int, int]
    info: PhotoInfo
    note: str = ""
    caption: Caption = NOTHING


def decode(
    source: str | os.PathLike[str] | bytes,
    *,
    max_side: int | None = None,
    max_pixels: int | None = None,
) -> Decoded:
    """Decode a photo.

    Turned upright by EXIF, embedded colour profiles converted to sRGB, 16 bit reduced to 8, alpha flattened on
    white, the first frame of animations. A JPEG that lacks its end is decoded as far as it goes, and ``note`` says so,
    where at least half of its rows are there.

    source : path, or the bytes of a file; raw photos by path alone, whose ending names them
    max_side : reduce so that the longer side is at most this; None for the original size
    max_pixels : photos that claim more are refused before anything is decoded; None for 200 million, and no more
        than 50 million and 100 for each byte of the file. Decoding takes up to 12 bytes for each pixel that is
        claimed, of WebP, AVIF and HEIF twice that.
    Raises ImageError with a short reason.
    """
    most = None if max_side is None else as_count(max_side, "max_side")
    limit = None if max_pixels is None else as_count(max_pixels, "max_pixels")
    require("PIL.Image")
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        raise ValueError(f"source: expected a path or bytes, got {type(source).__name__}")
    with quiet(), _stream(source) as file:
        try:
            if isinstance(source, (str, os.PathLike)) and is_raw(source):
                return _decode_raw(Path(source), file, most, limit)
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


def _decode(file: BinaryIO, max_side: int | None, max_pixels: int | None) -> Decoded:
    if file.read(3) == b"\xff\xd8\xff":
        file = checked_jpeg(file)
    file.seek(0)
    image = _open(file)
    width, height = image.size
    _check_pixels(image, file, max_pixels)
    note = ""
    drafted = False
    if image.format in ("JPEG", "MPO"):
        if max_side is not None:
            # The JPEG library scales by 1/2, 1/4, 1/8 while decoding, for less time and memory.
            drafted = image.draft(None, fitted_size(width, height, max_side)) is not None
        note = load_jpeg(image)
    else:
        bits = image.tile[0][3] if image.format == "PNG" and image.tile else None
        image.load()
        _match_transparency(image, bits)
    # Asked after loading: TIFF is turned by its own reader, PNG may hold EXIF behind the pixels.
    try:
        exif = image.getexif()
    except Exception:  # a parser of foreign bytes raises anything
        exif = {}
    turn = orientation(exif)
    if not drafted:
        width, height = image.size
    return Decoded(
        upright(to_srgb(image, max_side), turn),
        (height, width) if turn >= 5 else (width, height),
        photo_info(exif),
        note,
        caption_of(image.info, exif),
    )


def _decode_raw(
    path: Path, file: BinaryIO, max_side: int | None, max_pixels: int | None
) -> Decoded:
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise ImageError("empty file")

    def check(width: int, height: int) -> None:
        _check_size(width, height, size, max_pixels)

    return Decoded(*decode_raw(path, max_side, check))


def _check_pixels(image: Any, file: BinaryIO, most: int | None) -> None:
    """Refuse what claims too much before memory is taken for it."""
    width, height = image.size
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    sides = tags.get(322), tags.get(323)
    if all(isinstance(side, int) for side in sides):
        # A tile is decoded whole, even where the image is but a corner of it.
        width, height = max((width, height), sides, key=lambda size: size[0] * size[1])
    _check_size(width, height, file.seek(0, os.SEEK_END), most)


def _check_size(width: int, height: int, size: int, most: int | None) -> None:
    """The same for so many pixels that a file of so many bytes claims."""
    limit = MAX_PIXELS if most is None else most
    if width * height > limit:
        raise ImageError(f"too many pixels: {width} x {height}, more than {limit:,}")
    believed = max(_PIXELS_OF_ANY_FILE, _PIXELS_OF_A_BYTE * size)
    if most is None and width * height > believed:
        raise ImageError(f"{width} x {height} pixels in {size:,} bytes: more than a photo has")


def _match_transparency(image: Any, bits: Any) -> None:
    """The transparent colour of a PNG as its pixels are after decoding: Pillow leaves it as the file has it."""
    colour = image.info.get("transparency")
    if bits in ("L;2", "L;4") and isinstance(colour, int):
        image.info["transparency"] = colour * (85 if bits == "L;2" else 17)
    elif bits == "RGB;16B" and isinstance(colour, tuple):
        image.info["transparency"] = tuple(part >> 8 for part in colour)


def _open(file: BinaryIO) -> Any:
    """The image, not yet decoded.

    Calls the parsers of the allow-list as ``PIL.Image.open`` does, without its pixel limit, which cannot be
    set for one call alone and lies below the largest photos of today.
    """
    image = require("PIL.Image")
    image.init()
    start = file.read(256)
    head = start[:16]
    if not head:
        raise ImageError("empty file")
    lacking = None
    brands = _brands(start)
    heic = brands & (_HEIC_BRANDS | _CONTAINER_BRANDS) and not brands & _AVIF_BRANDS
    if heic and "HEIF" not in image.OPEN:
        try:
            require("pillow_heif").register_heif_opener()
        except ImportError:
            lacking = "HEIC needs the package pillow-heif: pip install 'kinfold[heic]'"
    failure: Exception | None = None
    for name in FORMATS:
        parser, accepts = image.OPEN.get(name, (None, None))
        accepted = parser is not None and (accepts is None or accepts(head))
        # A text says that Pillow was built without this format.
        if isinstance(accepted, str):
            lacking = lacking or f"Pillow was built without {name}"
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


def _brands(start: bytes) -> set[bytes]:
    """What a file of the MPEG family says that it is: its own brand, and those that it is compatible with."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4], "big"), len(start))
    return {start[at : at + 4] for at in (8, *range(16, end - 3, 4))}


def upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo an EXIF orientation."""
    if turn >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _is_systems(error: Exception) -> bool:
    """Whether reading failed, not decoding: decoders raise OSError without a number, or EINVAL for a bad place."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _unreadable(error: OSError) -> ImageError:
    return ImageError(f"cannot be read: {error.strerror or error}", "access")


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0].strip()[:200] if str(error).strip() else ""
    if isinstance(error, EOFError) or "truncated" in text.lower():
        return f"truncated: {text}" if text else "truncated"
    return text or type(error).__name__
