"""JPEG files that cost more than they should, and those that lack their end."""

from __future__ import annotations

import io
import os
import re
from typing import Any, BinaryIO

from kinfold.base.errors import ImageError

# Each scan goes over the whole photo. Encoders write some ten; a few bytes are enough for one more.
_MOST_SCANS = 200
_END = b"\xff\xd9"
# Behind a 255 of the pixels stands a zero or a restart, so this is a marker.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_ALONE, _START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0x01, 0xD8, 0xD9, 0xDA


def checked_jpeg(file: BinaryIO) -> BinaryIO:
    """The file, less what announces pixels of which none came. ImageError where its scans are too many."""
    file.seek(-2, os.SEEK_END)
    if file.read(2) == _END and _most_scans(file) <= _MOST_SCANS:
        return file
    file.seek(0)
    data = file.read()
    scans, end = _structure(data)
    if scans > _MOST_SCANS:
        raise ImageError(f"a JPEG of {scans:,} scans, more than {_MOST_SCANS}")
    return file if end is None else io.BytesIO(data[:end])


def load_jpeg(image: Any) -> str:
    """Load a Pillow image of a JPEG file, as far as it goes; returns what is missing, or nothing.

    Raises ImageError where more than half of the rows are missing.
    """
    read, ended = image.load_read, False

    def read_on(size: int) -> Any:
        """The file, and behind it an end if it lacks one."""
        nonlocal ended
        data = read(size)
        if data or ended:
            return data
        ended = True
        return _END

    image.load_read = read_on
    image.load()
    if not ended:
        return ""
    missing = _missing_rows(image) / image.height
    if missing > 0.5:
        raise ImageError(f"truncated: {missing:.0%} of its rows are missing")
    what = f"the lower {missing:.0%} of its rows are" if missing else "its end is"
    return f"truncated: {what} missing"


def _most_scans(file: BinaryIO) -> int:
    """A bound on the number of scans: some may be within thumbnails, or a film behind the photo."""
    file.seek(0)
    scans, last = 0, b""
    while block := file.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:]
    return scans


def _structure(data: bytes) -> tuple[int, int | None]:
    """The number of scans, and where the last whole part ends if the file ends within the next."""
    at, scans = 2, 0
    while found := _MARKER.search(data, at):
        at, marker = found.end(), found[1][0]
        if marker == _END_OF_IMAGE:
            break
        if marker not in (_START_OF_IMAGE, _ALONE):
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
            if at > len(data):
                return scans, found.start()
            scans += marker == _START_OF_SCAN
    return scans, None


def _missing_rows(image: Any) -> int:
    """How many of the last rows hold nothing but the grey of what did not come."""
    width, height = image.size
    step = max(1, height // 256)
    for bottom in range(height, 0, -step):
        part = image.crop((0, max(0, bottom - step), width, bottom))
        extremes = [part.getchannel(band).getextrema() for band in part.getbands()]
        low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
        if low < 127 or high > 129:
            return height - bottom
    return height
