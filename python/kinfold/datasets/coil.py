"""COIL-20: objects on a turntable (Nene, Nayar & Murase, Columbia University, CUCS-005-96, 1996)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_path
from kinfold.base.errors import FileFormatError
from kinfold.datasets.views import Views
from kinfold.images.decode import decode
from kinfold.io.npz import read_npz

_OBJECTS, _POSES = 20, 72


def coil20(root: str | os.PathLike[str]) -> Views:
    """1,440 pictures of 128 x 128 pixels: 20 objects, each seen every 5 degrees.

    root : a folder with the files ``obj1__0.png`` to ``obj20__71.png`` of coil-20-proc, or with all of them in
        ``coil20.npz`` as an array ``images``, uint8 (20, 72, height, width)
    Objects count from 0, elevations and lightings are 0. Raises FileNotFoundError, with one sentence on what belongs
    where; FileFormatError, ImageError.
    """
    folder = as_path(root, "root")
    packed = folder / "coil20.npz"
    images = read_npz(packed, "images") if packed.is_file() else _decoded(folder)
    if images.ndim != 4 or images.shape[:2] != (_OBJECTS, _POSES) or images.dtype != np.uint8:
        raise FileFormatError(
            f"{folder}: expected pictures uint8 ({_OBJECTS}, {_POSES}, height, width), "
            f"got {images.dtype} {images.shape}"
        )
    poses = np.tile(5 * np.arange(_POSES), _OBJECTS)
    zeros = np.zeros_like(poses)
    return Views(
        images.reshape(-1, *images.shape[2:]),
        np.repeat(np.arange(_OBJECTS), _POSES), poses, zeros, zeros,
    )  # fmt: skip


def _decoded(folder: Path) -> NDArray[Any]:
    files = [folder / f"obj{i + 1}__{k}.png" for i in range(_OBJECTS) for k in range(_POSES)]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"coil20: put the files of coil-20-proc.zip into {folder}, as "
            "https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php publishes them "
            f"({len(missing)} are missing, such as {missing[0]})"
        )
    pictures = [decode(path).pixels[..., 0] for path in files]
    if len({picture.shape for picture in pictures}) > 1:
        raise FileFormatError(f"{folder}: expected pictures of one size")
    return np.stack(pictures).reshape(_OBJECTS, _POSES, *pictures[0].shape)
