"""The vectors of the field's benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.io.vecs import read_vecs, write_vecs


@pytest.mark.parametrize(("ending", "dtype"), [("fvecs", "f4"), ("ivecs", "i4"), ("bvecs", "u1")])
def test_round_trip(ending: str, dtype: str, tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (7, 5)).astype(dtype)
    path = tmp_path / f"x.{ending}"
    write_vecs(path, x)
    assert path.stat().st_size == 7 * (4 + 5 * x.itemsize)
    for mmap in (False, True):
        np.testing.assert_array_equal(read_vecs(path, mmap=mmap), x)
        np.testing.assert_array_equal(read_vecs(path, mmap=mmap, start=2, count=3), x[2:5])
        np.testing.assert_array_equal(read_vecs(path, mmap=mmap, start=5, count=9), x[5:])
    assert read_vecs(path).dtype == np.dtype(dtype)


def test_a_single_vector_is_an_array_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "x.fvecs"
    write_vecs(path, [[1.0, 2.0]])
    x = read_vecs(path)
    x[0, 0] = 5
    assert type(x) is np.ndarray and read_vecs(path)[0, 0] == 1
    assert not read_vecs(path, mmap=True).flags.writeable


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.fvecs"
    write_vecs(path, np.zeros((4, 3)))
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-1])
    with pytest.raises(kf.FileFormatError, match="no whole number of vectors"):
        read_vecs(path)
    data[16 * 2] = 9
    path.write_bytes(data)
    with pytest.raises(kf.FileFormatError, match="vector 2 has dimension 9, the first 3"):
        read_vecs(path)
    for bad in (b"\0\0\0\0", b"\xff\xff\xff\xff" * 4, b"\xff\xff\xff\x7f", b"a"):
        path.write_bytes(bad)
        with pytest.raises(kf.FileFormatError):
            read_vecs(path)
    path.write_bytes(b"")
    assert read_vecs(path).shape == (0, 0)


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^path: expected a name ending in"):
        read_vecs(tmp_path / "x.vecs")
    for ending, dtype, number in (
        ("bvecs", "uint8", 256.0), ("bvecs", "uint8", -1), ("bvecs", "uint8", 0.5),
        ("ivecs", "int32", 2**31), ("ivecs", "int32", np.nan), ("fvecs", "float32", 1e300),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^vectors: some numbers are no {dtype}"):
            write_vecs(tmp_path / f"x.{ending}", [[number]])
    with pytest.raises(ValueError, match="^vectors: expected"):
        write_vecs(tmp_path / "x.fvecs", [1.0])
    with pytest.raises(FileNotFoundError):
        read_vecs(tmp_path / "none.fvecs")
    with pytest.raises(ValueError, match="^start: "):
        read_vecs(tmp_path / "x.fvecs", start=-1)
    os.mkfifo(tmp_path / "pipe.fvecs")
    with pytest.raises(kf.FileFormatError, match="is not a regular file"):
        read_vecs(tmp_path / "pipe.fvecs")


def test_real_vectors(shared: Path) -> None:
    x = read_vecs(shared / "data" / "oxford5k" / "caffenet_fc7_pca128.fvecs")
    assert x.shape == (5063, 128) and np.isfinite(x).all()
