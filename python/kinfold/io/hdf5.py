"""The HDF5 files of ann-benchmarks: base vectors, queries, and the queries' true neighbours."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require


class Benchmark(NamedTuple):
    """base float32 (n, d), queries float32 (q, d), neighbours int64 (q, k), distances float32 (q, k);
    metric as the file names it: "euclidean", "angular", ... or None."""

    base: Vectors
    queries: Vectors
    neighbours: Ids
    distances: Vectors
    metric: str | None


def read_ann_benchmark(path: str | os.PathLike[str]) -> Benchmark:
    """Read train, test, neighbors and distances. Needs the extra hdf5; FileFormatError for another file."""
    h5py = require("h5py")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            missing = [n for n in ("train", "test", "neighbors", "distances") if n not in file]
            if missing:
                raise FileFormatError(f"{path}: has no data set {', '.join(missing)}")
            parts: list[NDArray[np.generic]] = [
                np.asarray(file[name]) for name in ("train", "test", "neighbors", "distances")
            ]
            metric = file.attrs.get("distance")
    except OSError as error:
        raise FileFormatError(f"{path}: not an HDF5 file: {error}") from None
    base, queries, neighbours, distances = parts
    sound = all(part.ndim == 2 for part in parts) and base.shape[1] == queries.shape[1]
    if not sound or neighbours.shape != distances.shape or len(neighbours) != len(queries):
        raise FileFormatError(f"{path}: its data sets do not fit together")
    return Benchmark(
        base.astype(np.float32), queries.astype(np.float32), neighbours.astype(np.int64),
        distances.astype(np.float32), metric if metric is None else str(metric),
    )  # fmt: skip
