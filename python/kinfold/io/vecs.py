"""The vectors of the field's benchmarks: .fvecs, .ivecs, .bvecs.

Each vector is its dimension as int32, then its numbers, little-endian; the dimension is repeated in every record.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_count, as_path
from kinfold.base.errors import FileFormatError
from kinfold.io.atomic import replace_file

_TYPES: dict[str, np.dtype[Any]] = {
    ".fvecs": np.dtype("<f4"),
    ".ivecs": np.dtype("<i4"),
    ".bvecs": np.dtype("u1"),
}


def read_vecs(
    path: str | os.PathLike[str], *, start: int = 0, count: int | None = None, mmap: bool = False
) -> NDArray[Any]:
    """The vectors of a file, (n, d): float32, int32 or uint8 by its ending.

    start, count : the vectors [start, start + count); fewer where the file ends
    mmap : a read-only view of the file instead of an array; its rows do not follow each other without gaps
    Raises FileFormatError where the size is no whole number of records or a record has another dimension.
    """
    dtype = _type_of(path)
    first = as_count(start, "start", least=0)
    most = None if count is None else as_count(count, "count", least=0)
    file = as_path(path, "path")
    if file.exists() and not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    size = file.stat().st_size
    if size == 0:
        return np.empty((0, 0), dtype)
    with file.open("rb") as stream:
        d = int.from_bytes(stream.read(4), "little", signed=True)
    record = 4 + d * dtype.itemsize
    if d <= 0 or size % record:
        raise FileFormatError(
            f"{path}: {size} bytes are no whole number of vectors of dimension {d}"
        )
    n = size // record
    whole = np.memmap(file, np.uint8, "r", shape=(n, record))
    rows = whole[first:] if most is None else whole[first : first + most]
    dims = rows[:, :4].copy().view("<i4")[:, 0]
    if (dims != d).any():
        bad = int(np.flatnonzero(dims != d)[0])
        raise FileFormatError(
            f"{path}: vector {bad + first} has dimension {dims[bad]}, the first {d}"
        )
    if mmap:
        view = np.ndarray((n, d), dtype, whole, 4, (record, dtype.itemsize))
        view.flags.writeable = False
        return view[first : first + len(rows)]
    # Always a copy: of a single vector, even the part behind the dimension is contiguous.
    return np.array(rows[:, 4:], order="C", subok=False).view(dtype)


def write_vecs(path: str | os.PathLike[str], vectors: Any) -> None:
    """Write vectors (n, d) as the file's ending says; numbers that its type cannot hold are refused."""
    dtype = _type_of(path)
    array = as_array(vectors, "vectors")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"vectors: expected (n, d), got shape {array.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
    # Floats may be rounded, but not become infinite; integers must be what they were.
    lost = np.isinf(converted) & ~np.isinf(array) if dtype.kind == "f" else converted != array
    if lost.any():
        raise ValueError(
            f"vectors: some numbers are no {dtype.name}, which {as_path(path, 'path').suffix} holds"
        )
    n, d = array.shape
    records = np.empty((n, 4 + d * dtype.itemsize), np.uint8)
    records[:, :4] = np.array([d], "<i4").view(np.uint8)
    records[:, 4:] = np.ascontiguousarray(converted).view(np.uint8).reshape(n, -1)
    with replace_file(path, size=records.nbytes) as file:
        file.write(records.data)


def _type_of(path: str | os.PathLike[str]) -> np.dtype[Any]:
    file = as_path(path, "path")
    suffix = file.suffix
    if suffix not in _TYPES:
        raise ValueError(f"path: expected a name ending in {', '.join(_TYPES)}, got {file.name!r}")
    return _TYPES[suffix]
