from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.io.idx import read_idx


def idx(code: int, shape: tuple[int, ...], body: bytes) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + body


CASES = [
    (8, "B", np.uint8, [0, 1, 254, 255, 7, 9]), (9, "b", np.int8, [-128, 127, 0, 1, 2, 3]),
    (11, ">6h", np.int16, [-300, 2, 3, 4, 5, 6]), (12, ">6i", np.int32, [-(2**31), 2**31 - 1, 1, 2, 3, 4]),
    (13, ">6f", np.float32, [0.5, -2.0, 1e9, 0, 1, 2]), (14, ">6d", np.float64, [1e-300, 2, 3, 4, 5, 6]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "packing", "dtype", "numbers"), CASES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_plain_and_packed(code, packing, dtype, numbers, packed, tmp_path) -> None:
    body = struct.pack(packing if packing[0] == ">" else f"6{packing}", *numbers)
    data = idx(code, (2, 3), body)
    path = tmp_path / "numbers"
    path.write_bytes(gzip.compress(data) if packed else data)
    array = read_idx(path)
    assert array.dtype == dtype and array.dtype.isnative and array.flags.writeable
    assert array.tolist() == [numbers[:3], numbers[3:]]


SOUND = idx(8, (2, 2), b"abcd")
BAD = {
    "nothing": b"", "short head": b"\0\0\x08", "other bytes": b"\x89PNG\r\n", "no such type": b"\0\0\x07\x01",
    "no dimension": b"\0\0\x08\0", "dimensions missing": SOUND[:9], "cut short": SOUND[:-1], "too long": SOUND + b"e",
    "huge": idx(8, (2**32 - 1, 2**31), b"abcd"), "a hundred dimensions": b"\0\0\x08\x64" + b"\0\0\0\1" * 100 + b"a",
    "huge in gzip": gzip.compress(idx(14, (2**32 - 1, 100), b"")), "cut gzip": gzip.compress(SOUND)[:-9],
    "damaged gzip": gzip.compress(SOUND)[:12] + b"\xff\xff" + gzip.compress(SOUND)[14:],
    "a bomb": gzip.compress(SOUND + bytes(10_000_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_damaged_files(name, tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(BAD[name])
    with pytest.raises(FileFormatError, match="not a readable idx file"):
        read_idx(path)


def test_no_file(tmp_path) -> None:
    with pytest.raises(FileFormatError, match="not a regular file"):
        read_idx(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")
    with pytest.raises(ValueError, match="path: expected a path"):
        read_idx(3)
