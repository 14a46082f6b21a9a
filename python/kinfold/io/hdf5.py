"""The HDF5 files of ann-benchmarks: base vectors, queries, and the queries' true neighbours."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_path
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require

_NAMES = ("train", "test", "neighbors", "distances")
# Deflate, the strongest filter of such files, makes 1,032 bytes at most of one.
_MOST_EXPANSION = 1100


class Benchmark(NamedTuple):
    """base float32 (n, d), queries float32 (q, d), neighbours int64 (q, k), distances float32 (q, k);
    metric as the file names it: "euclidean", "angular", ... or None."""

    base: Vectors
    queries: Vectors
    neighbours: Ids
    distances: Vectors
    metric: str | None


def read_ann_benchmark(path: str | os.PathLike[str]) -> Benchmark:
    """Read train, test, neighbors and distances. Needs the extra hdf5.

    Raises FileFormatError for another file, for data sets that do not fit together or are larger than the
    file, and for links out of it. That is a guard against accidents only: the HDF5 library itself may crash
    on damaged bytes before anything here sees them, so read only files from a source that you trust.
    """
    h5py = require("h5py")
    given = as_path(path, "path")
    if not given.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not given.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    try:
        with h5py.File(given, "r") as file:
            missing = [name for name in _NAMES if name not in file]
            if missing:
                raise FileFormatError(f"has no data set {', '.join(missing)}")
            parts = [_table(h5py, file, name, os.path.getsize(path)) for name in _NAMES]
            metric = file.attrs.get("distance")
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise FileFormatError(f"{path}: not a sound HDF5 file: {error}") from None
    base, queries, neighbours, distances = parts
    fits = base.shape[1] == queries.shape[1] and len(neighbours) == len(queries)
    if not fits or neighbours.shape != distances.shape:
        raise FileFormatError(f"{path}: its data sets do not fit together")
    if neighbours.dtype.kind not in "iu":
        raise FileFormatError(f"{path}: data set neighbors: expected whole numbers")
    if neighbours.size and (neighbours.min() < 0 or neighbours.max() >= len(base)):
        raise FileFormatError(f"{path}: data set neighbors: names vectors that train lacks")
    if isinstance(metric, bytes):
        metric = metric.decode("utf-8", "replace")
    return Benchmark(
        base.astype(np.float32, copy=False), queries.astype(np.float32, copy=False),
        neighbours.astype(np.int64, copy=False), distances.astype(np.float32, copy=False),
        metric if metric is None else str(metric),
    )  # fmt: skip


def _table(h5py: Any, file: Any, name: str, size: int) -> NDArray[Any]:
    """A data set of numbers, (n, m), that lies in this file and is as large as it says."""
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.ndim != 2 or data.dtype.kind not in "fiub":
        raise FileFormatError(f"data set {name}: expected a table of numbers")
    elsewhere = isinstance(file.get(name, getlink=True), h5py.ExternalLink)
    if elsewhere or data.is_virtual or data.external:
        raise FileFormatError(f"data set {name}: lies in another file")
    # A few hundred bytes may claim any shape: chunks that were never written read as zeros.
    stored = min(data.id.get_storage_size(), size)
    if data.id.get_create_plist().get_nfilters():
        stored *= _MOST_EXPANSION
    if data.nbytes > stored:
        raise FileFormatError(f"data set {name}: shape {data.shape} is more than the file holds")
    table: NDArray[Any] = np.asarray(data)
    return table
