"""The idx files of MNIST and its kin: one array, plain or compressed by gzip."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_path, can_be
from kinfold.base.errors import FileFormatError

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"
# Bytes that one byte of deflate stands for at most, and what is read at a time.
_SHRINKS = 1032
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of a file, of the machine's own byte order: uint8, int8, int16, int32, float32 or float64.

    LeCun, Cortes & Burges: two zero bytes, the type, the number of dimensions, each of them as a big-endian uint32,
    the numbers. Raises FileFormatError for other files, and where shape and size disagree: nothing is allocated that
    the file could not hold.
    """
    file = as_path(path, "path")
    if file.exists() and not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    with file.open("rb") as plain:
        packed = plain.read(2) == _GZIP
        room = os.fstat(plain.fileno()).st_size * (_SHRINKS if packed else 1)
        plain.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
        try:
            return _read(stream, room)
        except (ValueError, EOFError, OSError, zlib.error) as error:
            raise FileFormatError(f"{path}: not a readable idx file: {error}") from None


def _read(stream: BinaryIO, room: int) -> NDArray[Any]:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
        raise ValueError(f"it begins with {head.hex(' ') or 'nothing'}")
    sides = np.frombuffer(stream.read(4 * head[3]), ">u4")
    dtype, shape = np.dtype(_TYPES[head[2]]), tuple(map(int, sides))
    if len(sides) < head[3] or not can_be(shape):
        raise ValueError(f"{head[3]} dimensions, of which it names {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > room:
        raise ValueError(f"it is too short to hold shape {shape}")
    body = bytearray()
    while len(body) <= size and (part := stream.read(min(_CHUNK, size + 1 - len(body)))):
        body += part
    if len(body) != size:
        raise ValueError(f"{'more' if len(body) > size else len(body)} bytes for shape {shape}")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
