from __future__ import annotations

import zipfile

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.io.npz import read_npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_by_name(save, tmp_path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    columns = np.asfortranarray(np.linspace(0, 1, 6).reshape(2, 3))
    save(tmp_path / "a.npz", images=images, columns=columns)
    for name, expected in {"images": images, "columns": columns}.items():
        array = read_npz(tmp_path / "a.npz", name)
        assert array.dtype == expected.dtype and np.array_equal(array, expected)
        assert array.flags.writeable
    with pytest.raises(FileFormatError, match="expected one array, got images, columns"):
        read_npz(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="expected an array 'labels', got images, columns"):
        read_npz(tmp_path / "a.npz", "labels")
    save(tmp_path / "one.npz", images=images)
    assert np.array_equal(read_npz(tmp_path / "one.npz"), images)


def member(path, data: bytes, name: str = "x.npy") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)


def npy(array: np.ndarray) -> bytes:
    import io

    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_damaged_files(tmp_path) -> None:
    path = tmp_path / "x.npz"
    sound = npy(np.arange(5))
    for data in (b"", b"no numbers", sound[:-1], sound + b"1", sound.replace(b"(5,)", b"(9,)"),
                 npy(np.array([{}], object)), npy(np.array(["a"]))):  # fmt: skip
        member(path, data)
        with pytest.raises(FileFormatError, match="x.npz"):
            read_npz(path)
    np.savez(path, x=np.arange(1000))
    whole = path.read_bytes()
    middle = len(whole) // 2
    for data in (b"", b"PK", whole[:middle], whole[:middle] + b"\xff" + whole[middle + 1 :]):
        path.write_bytes(data)
        with pytest.raises(FileFormatError, match="x.npz: not a readable .npz file"):
            read_npz(path)
    with pytest.raises(FileFormatError, match="not a regular file"):
        read_npz(tmp_path)
