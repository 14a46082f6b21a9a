"""Tables of numbers, whatever format the file's ending says."""

from __future__ import annotations

import os
from typing import Any

from numpy.typing import NDArray

from kinfold.base.arrays import as_path
from kinfold.base.errors import FileFormatError
from kinfold.io.npy import read_npy
from kinfold.io.parquet import ParquetVectors
from kinfold.io.vecs import read_vecs

ENDINGS = (".npy", ".fvecs", ".bvecs", ".ivecs", ".parquet")


def read_vectors(path: str | os.PathLike[str], *, mmap: bool = False) -> NDArray[Any]:
    """The table (n, d) of a .npy, .fvecs, .bvecs, .ivecs or .parquet file; the latter needs the extra arrow.

    mmap : a read-only view of the file instead of an array, but of Parquet, whose numbers are packed
    Raises FileNotFoundError; FileFormatError for another ending, a damaged file, or an array of other
    than two dimensions.
    """
    file = as_path(path, "path")
    if not file.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if file.suffix not in ENDINGS:
        raise FileFormatError(f"{path}: expected a name ending in {', '.join(ENDINGS)}")
    if file.suffix == ".parquet":
        return ParquetVectors(file).read().vectors
    table = read_npy(file, mmap=mmap) if file.suffix == ".npy" else read_vecs(file, mmap=mmap)
    if table.ndim != 2 or table.size == 0:
        raise FileFormatError(f"{path}: expected vectors (n, d), got shape {table.shape}")
    return table
