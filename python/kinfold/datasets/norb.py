"""Small NORB: toys in many poses and lightings (LeCun, Huang & Bottou, CVPR 2004)."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice, as_count, as_path, can_be
from kinfold.base.errors import FileFormatError
from kinfold.datasets.views import Views

CATEGORIES = ("animal", "human", "airplane", "truck", "car")
_NAMES = {
    "train": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "test": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
# First four bytes -> type of the numbers.
_TYPES = {
    0x1E3D4C51: "<f4", 0x1E3D4C53: "<f8", 0x1E3D4C54: "<i4", 0x1E3D4C55: "u1", 0x1E3D4C56: "<i2",
}  # fmt: skip


def small_norb(
    root: str | os.PathLike[str],
    *,
    split: str = "train",
    category: str | None = None,
    instance: int | None = None,
    camera: int = 0,
) -> Views:
    """The 24,300 pairs of pictures of small NORB to learn from, or those to test with; of either camera.

    root : a folder with the files whose names end in -dat.mat, -cat.mat and -info.mat, unpacked
    split : "train" or "test": other instances of the same categories
    category : "animal", "human", "airplane", "truck" or "car"; None for all
    instance : 4, 6, 7, 8 or 9 of "train", 0, 1, 2, 3 or 5 of "test"; None for all. One of one category is 972
        pictures: 18 azimuths, 9 elevations and 6 lightings
    camera : 0 or 1, left or right
    Objects are ten times the category's number plus the instance. Raises FileNotFoundError, with one sentence on what
    belongs where; FileFormatError; ValueError where nothing is chosen.
    """
    folder = as_path(root, "root")
    start = _NAMES[as_choice(split, "split", _NAMES)]
    camera = as_count(camera, "camera", least=0, most=1)
    kind = None if category is None else CATEGORIES.index(as_choice(category, "category", CATEGORIES))  # fmt: skip
    number = None if instance is None else as_count(instance, "instance", least=0, most=9)
    files = {part: folder / f"{start}-{part}.mat" for part in ("dat", "cat", "info")}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"small_norb: put {missing[0]} into {folder}, unpacked, as "
            "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small publishes it"
        )
    kinds, info = _matrix(files["cat"], 1), _matrix(files["info"], 2)
    pixels = _matrix(files["dat"], 4)
    n = len(kinds)
    if info.shape != (n, 4) or pixels.shape[:2] != (n, 2) or pixels.dtype != np.uint8:
        raise FileFormatError(
            f"{folder}: expected {n} pairs of uint8 pictures and {n} rows of 4 numbers, "
            f"got {pixels.dtype} {pixels.shape} and {info.shape}"
        )
    _refuse_strangers(files, kinds, info)
    chosen = np.ones(n, bool)
    if kind is not None:
        chosen &= kinds == kind
    if number is not None:
        chosen &= info[:, 0] == number
    if not chosen.any():
        raise ValueError(f"instance: there is none of {category or 'any category'}, {instance}")
    toys, elevations, azimuths, lightings = info[chosen].astype(np.int64).T
    return Views(
        np.ascontiguousarray(pixels[chosen, camera]),
        10 * kinds[chosen].astype(np.int64) + toys,
        azimuths * 10, 30 + 5 * elevations, np.ascontiguousarray(lightings),
    )  # fmt: skip


def _refuse_strangers(files: dict[str, Path], kinds: NDArray[Any], info: NDArray[Any]) -> None:
    """FileFormatError for numbers that no picture of NORB has: they are read as angles."""
    if len(kinds) and (kinds.min() < 0 or kinds.max() >= len(CATEGORIES)):
        raise FileFormatError(f"{files['cat']}: expected categories 0 to {len(CATEGORIES) - 1}")
    if (info < 0).any() or (info > (9, 8, 34, 5)).any() or (info[:, 2] % 2).any():
        raise FileFormatError(
            f"{files['info']}: expected instances 0 to 9, elevations 0 to 8, even azimuths 0 to 34, lightings 0 to 5"
        )


def _matrix(path: Path, dimensions: int) -> NDArray[Any]:
    """The matrix of a file: its type, the number of dimensions, at least three of them as int32, the numbers.

    Pixels are a view of the file. Raises FileFormatError where shape and size disagree.
    """
    head = np.fromfile(path, "<u4", 2 + max(dimensions, 3))
    known = len(head) > 2 and int(head[0]) in _TYPES and int(head[1]) == dimensions
    if not known or len(head) < 2 + max(dimensions, 3):
        raise FileFormatError(f"{path}: not a matrix of {dimensions} dimensions as NORB has them")
    shape, dtype = tuple(map(int, head[2 : 2 + dimensions])), np.dtype(_TYPES[int(head[0])])
    begin, size = head.nbytes, path.stat().st_size
    if not can_be(shape) or begin + math.prod(shape) * dtype.itemsize != size:
        raise FileFormatError(f"{path}: {size} bytes do not hold shape {shape} of {dtype}")
    if not math.prod(shape):
        raise FileFormatError(f"{path}: it is empty")
    return np.memmap(path, dtype, "r", begin, shape)
