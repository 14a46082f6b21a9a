"""MNIST: handwritten digits (LeCun, Bottou, Bengio & Haffner, Proceedings of the IEEE, 1998)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_choice, as_path
from kinfold.base.errors import FileFormatError
from kinfold.base.offered import call_by_name
from kinfold.io.idx import read_idx

_NAMES = {"train": "train", "test": "t10k"}


class Digits(NamedTuple):
    """Pictures of digits and what they show.

    images : uint8 (n, 28, 28)    ink is 255
    labels : int64 (n,)           0 to 9
    """

    images: NDArray[np.uint8]
    labels: Ids


def mnist(root: str | os.PathLike[str], *, split: str = "train") -> Digits:
    """The 60,000 digits of MNIST to learn from, or the 10,000 to test with.

    root : a folder with the four original files, compressed or not; other sets in the same form will do
    split : "train" or "test"
    Raises FileNotFoundError, with one sentence on what belongs where; FileFormatError.
    """
    folder = as_path(root, "root")
    start = _NAMES[as_choice(split, "split", _NAMES)]
    images = read_idx(_found(folder, f"{start}-images", 3))
    labels = read_idx(_found(folder, f"{start}-labels", 1))
    if images.ndim != 3 or images.dtype != np.uint8:
        raise FileFormatError(
            f"{folder}: expected pictures uint8 (n, height, width), got {images.dtype} {images.shape}"
        )
    if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
        raise FileFormatError(
            f"{folder}: expected {len(images)} labels, one for each picture, got {labels.shape}"
        )
    return Digits(images, labels.astype(np.int64))


def _found(folder: Path, start: str, dimensions: int) -> Path:
    """The file of that name, as it is published or as it is unpacked by some programs."""
    for joint in ("-", "."):
        for end in ("", ".gz"):
            path = folder / f"{start}{joint}idx{dimensions}-ubyte{end}"
            if path.is_file():
                return path
    raise FileNotFoundError(
        f"mnist: put {start}-idx{dimensions}-ubyte.gz and the other three files into {folder}, "
        "as http://yann.lecun.com/exdb/mnist publishes them"
    )


call_by_name(__name__)
