"""Against the official library, and against files made to harm."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.features.safetensors import read_safetensors


def tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    made = {
        t: (rng.standard_normal((3, 4)) * 50).astype(t)
        for t in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1")
    }
    return {
        **made,
        "bool": np.array([True, False]),
        "scalar": np.float32(3),
        "none": np.zeros((0, 4), "f4"),
    }


def written(path: Path, header: object, data: bytes = b"", *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(
    dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)
) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_files_of_the_official_library(tmp_path, rng) -> None:
    official = pytest.importorskip("safetensors.numpy")
    expected = {name: np.asarray(array) for name, array in tensors(rng).items()}
    official.save_file(expected, tmp_path / "a.safetensors", {"model": "test"})
    got, metadata = read_safetensors(tmp_path / "a.safetensors")
    assert metadata == {"model": "test"}
    assert set(got) == set(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape
        assert (got[name] == array).all()


def test_bfloat16_is_widened(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    official = pytest.importorskip("safetensors.torch")
    values = torch.tensor([1.0, -2.5, 3e38, 0.0], dtype=torch.bfloat16)
    official.save_file({"a": values}, tmp_path / "b.safetensors")
    got = read_safetensors(tmp_path / "b.safetensors")[0]["a"]
    assert got.dtype == np.float32 and (got == values.float().numpy()).all()


def test_an_empty_file_of_tensors(tmp_path) -> None:
    assert read_safetensors(written(tmp_path / "e", {})) == ({}, {})


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (b"no json", b"", "not a safetensors file"),
        (b"[1]", b"", "no dictionary"),
        (b"\xff\xfe{}", b"", "not a safetensors file"),
        (b"[" * 100_000, b"", "not a safetensors file"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        ({"__metadata__": {"a": 1}}, b"", "metadata"),
        ({"__metadata__": "text"}, b"", "metadata"),
        ({"a": 3}, b"", "lacks"),
        ({"a": {"dtype": "F32"}}, b"", "lacks"),
        ({"a": entry() | {"more": 1}}, bytes(8), "lacks"),
        ({"a": entry("F128")}, bytes(8), "unknown dtype"),
        ({"a": entry(["F32"])}, bytes(8), "unknown dtype"),
        ({"a": entry(shape=[-2])}, bytes(8), "no valid shape"),
        ({"a": entry(shape=[2.0])}, bytes(8), "no valid shape"),
        ({"a": entry(shape=[True, 2])}, bytes(8), "no valid shape"),
        ({"a": entry(shape="2")}, bytes(8), "no valid shape"),
        ({"a": entry(shape=[1] * 40)}, bytes(8), "no valid shape"),
        ({"a": entry(offsets=[0])}, bytes(8), "no valid shape"),
        ({"a": entry(offsets=[8, 0])}, bytes(8), "other bytes"),
        ({"a": entry(shape=[2**62, 4])}, bytes(8), "no valid shape"),
        ({"a": entry(shape=[3])}, bytes(12), "other bytes"),
        ({"a": entry(offsets=[4, 12])}, bytes(12), "hole"),
        ({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12), "hole or overlaps"),
        ({"a": entry(), "b": entry(offsets=[0, 8])}, bytes(8), "hole or overlaps"),
        ({"a": entry()}, bytes(9), "9 bytes of tensors"),
        ({"a": entry()}, bytes(7), "7 bytes of tensors"),
        ({"a": entry(shape=[2**40], offsets=[0, 2**42])}, bytes(8), "described"),
    ],
)
def test_hostile_headers(header, data, message, tmp_path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_safetensors(written(tmp_path / "bad.safetensors", header, data))


@pytest.mark.parametrize("length", [2**63, 2**60, 10**8, 100])
def test_a_header_longer_than_the_file_is_not_allocated(length, tmp_path) -> None:
    with pytest.raises(FileFormatError, match="truncated"):
        read_safetensors(written(tmp_path / "bad", {}, length=length))


def test_truncation_anywhere(tmp_path, rng) -> None:
    official = pytest.importorskip("safetensors.numpy")
    official.save_file({"a": rng.standard_normal((5, 5)).astype("f4")}, tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    for length in range(len(data)):
        (tmp_path / "a").write_bytes(data[:length])
        with pytest.raises(FileFormatError):
            read_safetensors(tmp_path / "a")


def test_what_is_written_is_read_by_us_and_by_others(tmp_path, rng) -> None:
    from kinfold.features.safetensors import write_safetensors

    arrays = {
        "a.weight": rng.standard_normal((3, 4)).astype(np.float32),
        "scalar": np.array(7, np.int64),
        "empty": np.empty((0, 2), np.float16),
        "strided": rng.integers(0, 9, (6, 6)).astype(np.uint8)[::2],
        "big": np.arange(3, dtype=">f8"),
    }
    path = tmp_path / "x.safetensors"
    write_safetensors(path, arrays, {"architecture": "none"})
    read, metadata = read_safetensors(path)
    assert metadata == {"architecture": "none"} and list(read) == list(arrays)
    theirs = pytest.importorskip("safetensors.numpy").load_file(path)
    for name, array in arrays.items():
        assert np.array_equal(read[name], array) and read[name].shape == array.shape
        assert np.array_equal(theirs[name], array)
    with pytest.raises(ValueError, match="'c' has dtype complex128"):
        write_safetensors(path, {"c": np.zeros(2, complex)})
    assert list(read_safetensors(path)[0]) == list(arrays), "the old file stays"
