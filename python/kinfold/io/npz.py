"""numpy's archives, `.npz`: several arrays of numbers by name."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_path, can_be
from kinfold.base.errors import FileFormatError
from kinfold.io.npy import read_header

# Bytes that one byte of deflate stands for at most.
_SHRINKS = 1032


def read_npz(path: str | os.PathLike[str], name: str | None = None) -> NDArray[Any]:
    """One array of a file, by its name; None for the only one.

    Raises FileFormatError for other files, for objects (they would be a pickle), and where an array's shape and the
    archive disagree: nothing is allocated that the file could not hold.
    """
    file = as_path(path, "path")
    if file.exists() and not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    with file.open("rb") as plain:
        try:
            with zipfile.ZipFile(plain) as archive:
                return _read(archive, str(path), name)
        except FileFormatError:
            raise
        except (ValueError, EOFError, OSError, RuntimeError, NotImplementedError,
                zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
            raise FileFormatError(f"{path}: not a readable .npz file: {error}") from None


def _read(archive: zipfile.ZipFile, path: str, name: str | None) -> NDArray[Any]:
    held = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    if name is None and len(held) == 1:
        (name,) = held
    if name not in held:
        wanted = "one array" if name is None else f"an array '{name}'"
        raise FileFormatError(f"{path}: expected {wanted}, got {', '.join(held) or 'none'}")
    entry = held[name]
    if entry.file_size > _SHRINKS * entry.compress_size + 1024:
        raise ValueError(f"'{name}' claims {entry.file_size} bytes")
    with archive.open(entry) as stream:
        shape, fortran, dtype = read_header(stream, path)
        size = math.prod(shape) * dtype.itemsize
        if not can_be(shape) or stream.tell() + size != entry.file_size:
            raise ValueError(f"'{name}': {entry.file_size} bytes do not hold {shape} of {dtype}")
        body = stream.read()
    if len(body) != size:
        raise ValueError(f"'{name}' is cut short")
    array = np.frombuffer(bytearray(body), dtype)
    return array.reshape(shape, order="F" if fortran else "C")
