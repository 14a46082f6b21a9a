"""numpy's own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.io.npy import read_npy, write_npy


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">i4", "u1", "?"])
def test_round_trip(
    dtype: str, shape: tuple[int, ...], mmap: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = rng.integers(0, 100, shape).astype(dtype)
    for array in (x, x.copy(order="F")):
        write_npy(tmp_path / "x.npy", array)
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), x)
        got = read_npy(tmp_path / "x.npy", mmap=mmap)
        np.testing.assert_array_equal(got, x)
        assert got.dtype == x.dtype and got.shape == x.shape
        assert isinstance(got, np.memmap) == (mmap and x.size > 0)
        assert got.flags.writeable != isinstance(got, np.memmap)


def claiming(shape: str, descr: str = "<f4", data: bytes = bytes(16)) -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


def test_the_forger_can_forge(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(claiming("(4,)"))
    assert read_npy(tmp_path / "x.npy").tolist() == [0, 0, 0, 0]


CASES = {
    "shape beyond the file": (claiming("(1099511627776,)"), "do not hold shape"),
    "shape that overflows": (claiming("(4611686018427387904, 4)"), "do not hold shape"),
    "negative shape": (claiming("(-2, -2)"), "do not hold shape"),
    "too little": (claiming("(4,)")[:-1], "do not hold shape"),
    "too much": (claiming("(4,)") + b"x", "do not hold shape"),
    "objects": (claiming("(2,)", "|O"), "expected numbers"),
    "texts": (claiming("(1,)", "<U4"), "expected numbers"),
    "complex": (claiming("(2,)", "<c8"), "expected numbers"),
    "unknown dtype": (claiming("(2,)", "<q9"), "not a readable"),
    "code": (claiming("__import__('os')"), "not a readable"),
    "nesting": (claiming("(" * 90), "not a readable"),
    "later version": (claiming("(4,)").replace(b"\x01\x00", b"\x09\x00", 1), "not a readable"),
    "text": (b"hello", "not a readable"),
    "empty": (b"", "not a readable"),
}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_bad_files_are_refused(name: str, mmap: bool, tmp_path: Path) -> None:
    data, reason = CASES[name]
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(kf.FileFormatError, match=reason) as caught:
        read_npy(tmp_path / "x.npy", mmap=mmap)
    assert str(caught.value).startswith(f"{tmp_path / 'x.npy'}: ") and "\n" not in str(caught.value)


def test_a_saved_pickle_does_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(tmp_path / "x.npy", np.array([Attack()]), allow_pickle=True)
    with pytest.raises(kf.FileFormatError, match="expected numbers"):
        read_npy(tmp_path / "x.npy")
    assert not (tmp_path / "ran").exists()


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^array: "):
        write_npy(tmp_path / "x.npy", np.array([None]))
    with pytest.raises(FileNotFoundError):
        read_npy(tmp_path / "none.npy")
    with pytest.raises(kf.FileFormatError, match="is not a regular file"):
        read_npy(tmp_path)
    assert not list(tmp_path.iterdir())
