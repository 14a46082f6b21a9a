"""The files of ann-benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.io.hdf5 import read_ann_benchmark

h5py = pytest.importorskip("h5py")


def write(path: Path, **changes: np.ndarray) -> None:
    parts = {
        "train": np.eye(4), "test": np.ones((2, 4)), "neighbors": np.zeros((2, 3), np.int32),
        "distances": np.zeros((2, 3)), **changes,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, array in parts.items():
            file[name] = array
        file.attrs["distance"] = "euclidean"


def test_read(tmp_path: Path) -> None:
    write(tmp_path / "x.hdf5")
    got = read_ann_benchmark(tmp_path / "x.hdf5")
    assert got.base.dtype == np.float32 and got.neighbours.dtype == np.int64
    assert got.base.shape == (4, 4) and got.metric == "euclidean"


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.hdf5", test=np.ones((2, 5)))
    with pytest.raises(kf.FileFormatError, match="do not fit together"):
        read_ann_benchmark(tmp_path / "x.hdf5")
    with h5py.File(tmp_path / "y.hdf5", "w") as file:
        file["train"] = np.eye(2)
    with pytest.raises(kf.FileFormatError, match="has no data set test, neighbors, distances"):
        read_ann_benchmark(tmp_path / "y.hdf5")
    (tmp_path / "z.hdf5").write_bytes(b"no")
    with pytest.raises(kf.FileFormatError, match="not an HDF5 file"):
        read_ann_benchmark(tmp_path / "z.hdf5")
    with pytest.raises(FileNotFoundError):
        read_ann_benchmark(tmp_path / "none.hdf5")
