"""numpy's own files, `.npy`: one array of numbers, as descriptors are often exchanged."""

from __future__ import annotations

import math
import os
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_path, can_be
from kinfold.base.errors import FileFormatError
from kinfold.io.atomic import replace_file

_HEADERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}


def read_npy(path: str | os.PathLike[str], *, mmap: bool = False) -> NDArray[Any]:
    """The array of a file: real numbers or booleans of any shape.

    mmap : a read-only view of the file instead of an array
    Raises FileFormatError for objects (they would be a pickle), records, texts, and where the shape and the
    size of the file disagree: nothing is allocated from a shape that the file merely claims.
    """
    file = as_path(path, "path")
    if file.exists() and not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    with file.open("rb") as stream:
        shape, fortran, dtype = read_header(stream, str(path))
        begin, size = stream.tell(), os.fstat(stream.fileno()).st_size
        count = math.prod(shape)
        if not can_be(shape) or begin + count * dtype.itemsize != size:
            raise FileFormatError(f"{path}: {size} bytes do not hold shape {shape} of {dtype}")
        order: Literal["F", "C"] = "F" if fortran else "C"
        if mmap and count:
            return np.memmap(stream, dtype, "r", begin, shape, order)
        numbers: NDArray[Any] = np.fromfile(stream, dtype, count)
        return numbers.reshape(shape, order=order)


def read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype, from the beginning of a file; FileFormatError, which names it."""
    try:
        version = npy_format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"version {version} of .npy")
        shape, fortran, dtype = _HEADERS[version](stream)
    except Exception as error:  # a damaged header raises anything, it is parsed as Python
        reason = str(error).partition("\n")[0]
        raise FileFormatError(f"{name}: not a readable .npy file: {reason}") from None
    if dtype.kind not in "fiub":
        raise FileFormatError(f"{name}: expected numbers, got dtype {dtype}")
    return shape, fortran, dtype


def write_npy(path: str | os.PathLike[str], array: Any) -> None:
    """Write an array of numbers, atomically."""
    numbers = as_array(array, "array")
    with replace_file(path, size=numbers.nbytes + 128) as file:
        npy_format.write_array(file, numbers, allow_pickle=False)
