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
    with pytest.raises(kf.FileFormatError, match="not a sound HDF5 file"):
        read_ann_benchmark(tmp_path / "z.hdf5")
    with pytest.raises(FileNotFoundError):
        read_ann_benchmark(tmp_path / "none.hdf5")


def test_what_the_file_only_claims_is_not_allocated(tmp_path: Path) -> None:
    """Chunks that were never written take no place, and read as zeros."""
    path = tmp_path / "x.hdf5"
    for filters in ({}, {"compression": "gzip"}):
        with h5py.File(path, "w") as file:
            for name in ("train", "test", "neighbors", "distances"):
                file.create_dataset(name, (2**40, 4), "f4", chunks=(1000, 4), **filters)
        assert path.stat().st_size < 10_000
        with pytest.raises(kf.FileFormatError, match="data set train: shape .* more than the file"):
            read_ann_benchmark(path)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        for name, dtype in (
            ("train", "f4"),
            ("test", "f4"),
            ("neighbors", "i4"),
            ("distances", "f4"),
        ):
            file.create_dataset(
                name, data=np.zeros((3000, 8), dtype), chunks=(1000, 8), compression="gzip"
            )
        file.attrs["distance"] = np.bytes_(b"angular")
    got = read_ann_benchmark(tmp_path / "x.hdf5")
    assert got.base.shape == (3000, 8) and got.metric == "angular"


def test_other_files_and_odd_tables_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "secret.hdf5")
    write(tmp_path / "x.hdf5")
    cases = {
        "lies in another file": lambda f: f.__setitem__(
            "train", h5py.ExternalLink(str(tmp_path / "secret.hdf5"), "train")
        ),
        "train: expected a table": lambda f: f.create_group("train"),
        "train: expected a table of": lambda f: f.create_dataset("train", data=[["a", "b"]]),
        "train: expected": lambda f: f.create_dataset("train", data=np.zeros(4)),
    }
    for reason, change in cases.items():
        with h5py.File(tmp_path / "x.hdf5", "a") as file:
            del file["train"]
            change(file)
        with pytest.raises(kf.FileFormatError, match=reason):
            read_ann_benchmark(tmp_path / "x.hdf5")
    (tmp_path / "raw").write_bytes(bytes(64))
    with h5py.File(tmp_path / "x.hdf5", "a") as file:
        del file["train"]
        file.create_dataset("train", (2, 4), "f8", external=[(str(tmp_path / "raw"), 0, 64)])
    with pytest.raises(kf.FileFormatError, match="lies in another file"):
        read_ann_benchmark(tmp_path / "x.hdf5")
    for ids in (np.full((2, 3), 4), np.full((2, 3), -1)):
        write(tmp_path / "y.hdf5", neighbors=ids)
        with pytest.raises(kf.FileFormatError, match="names vectors that train lacks"):
            read_ann_benchmark(tmp_path / "y.hdf5")
    write(tmp_path / "y.hdf5", neighbors=np.zeros((2, 3)))
    with pytest.raises(kf.FileFormatError, match="neighbors: expected whole numbers"):
        read_ann_benchmark(tmp_path / "y.hdf5")
    with pytest.raises(kf.FileFormatError, match="is not a regular file"):
        read_ann_benchmark(tmp_path)
