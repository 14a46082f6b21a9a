from __future__ import annotations

import struct

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.datasets.norb import small_norb

START = "smallnorb-5x46789x9x18x6x2x96x96-training"
# Instance, elevation, azimuth, lighting as the files have them, and categories.
INFO = np.array([(4, 0, 0, 0), (4, 8, 34, 5), (6, 1, 2, 3), (4, 3, 20, 1)], np.int32)
KINDS = np.array([2, 2, 2, 0], np.int32)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 2, 6, 5), np.uint8)
MAGIC = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}


def matrix(array: np.ndarray) -> bytes:
    """As the publishers write it: vectors and matrices name three dimensions at least, too."""
    sides = [*array.shape, *[1] * (3 - array.ndim)]
    head = struct.pack(f"<Ii{len(sides)}i", MAGIC[array.dtype.name], array.ndim, *sides)
    return head + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    for part, array in {"dat": PIXELS, "cat": KINDS, "info": INFO}.items():
        (tmp_path / f"{START}-{part}.mat").write_bytes(matrix(array))
    return tmp_path


def test_poses_in_degrees(folder) -> None:
    views = small_norb(folder)
    assert np.array_equal(views.images, PIXELS[:, 0])
    assert views.objects.tolist() == [24, 24, 26, 4]
    assert views.elevations.tolist() == [30, 70, 35, 45]
    assert views.azimuths.tolist() == [0, 340, 20, 200]
    assert views.lightings.tolist() == [0, 5, 3, 1]


def test_some_of_them(folder) -> None:
    assert np.array_equal(small_norb(folder, camera=1).images, PIXELS[:, 1])
    assert small_norb(folder, category="airplane").objects.tolist() == [24, 24, 26]
    views = small_norb(folder, category="airplane", instance=4)
    assert np.array_equal(views.images, PIXELS[:2, 0])
    with pytest.raises(ValueError, match="instance: there is none of animal, 6"):
        small_norb(folder, category="animal", instance=6)
    with pytest.raises(ValueError, match="category: expected one of animal"):
        small_norb(folder, category="boat")


def test_missing(folder) -> None:
    with pytest.raises(FileNotFoundError, match="small_norb: put smallnorb-5x01235.*testing-dat"):
        small_norb(folder, split="test")
    (folder / f"{START}-info.mat").unlink()
    with pytest.raises(FileNotFoundError, match="put .*-info.mat into"):
        small_norb(folder)


def changed(array: np.ndarray, place: tuple[int, ...], value: int) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


DAMAGED = {
    "empty": ("dat", b"", "not a matrix of 4 dimensions"),
    "cut in its head": ("dat", matrix(PIXELS)[:20], "not a matrix of 4"),
    "cut short": ("dat", matrix(PIXELS)[:-1], "bytes do not hold shape"),
    "too long": ("info", matrix(INFO) + b"\0", "bytes do not hold shape"),
    "another magic": ("cat", b"\0" + matrix(KINDS)[1:], "not a matrix of 1"),
    "another dimension": ("cat", matrix(KINDS[:, None]), "not a matrix of 1"),
    "negative sides": ("cat", struct.pack("<Ii3i", MAGIC["int32"], 1, -1, 1, 1), "do not hold"),
    "huge sides": ("info", struct.pack("<Ii3i", MAGIC["int32"], 2, 2**31 - 1, 2**31 - 1, 1), "do not hold"),
    "no rows": ("cat", matrix(KINDS[:0]), "is empty"),
    "of other lengths": ("info", matrix(INFO[:3]), "expected 4 pairs"),
    "a category too many": ("cat", matrix(changed(KINDS, (1,), 5)), "expected categories 0 to 4"),
    "an azimuth too far": ("info", matrix(changed(INFO, (2, 2), 36)), "expected instances 0 to 9"),
    "an odd azimuth": ("info", matrix(changed(INFO, (2, 2), 3)), "even azimuths"),
    "a negative lighting": ("info", matrix(changed(INFO, (2, 3), -1)), "lightings 0 to 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(name, folder) -> None:
    part, data, words = DAMAGED[name]
    (folder / f"{START}-{part}.mat").write_bytes(data)
    with pytest.raises(FileFormatError, match=words):
        small_norb(folder)
