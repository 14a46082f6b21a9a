from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.datasets.mnist import mnist

IMAGES = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
LABELS = np.array([7, 0, 9], np.uint8)


def write(path, array: np.ndarray) -> None:
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("end", ["-idx{}-ubyte.gz", "-idx{}-ubyte", ".idx{}-ubyte"])
@pytest.mark.parametrize(("split", "start"), [("train", "train"), ("test", "t10k")])
def test_pictures_and_labels(end, split, start, tmp_path) -> None:
    write(tmp_path / (f"{start}-images" + end.format(3)), IMAGES)
    write(tmp_path / (f"{start}-labels" + end.format(1)), LABELS)
    digits = mnist(tmp_path, split=split)
    assert np.array_equal(digits.images, IMAGES)
    assert digits.labels.dtype == np.int64 and digits.labels.tolist() == [7, 0, 9]


def test_what_is_wrong_is_said(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mnist: put train-images-idx3-ubyte\.gz and"):
        mnist(tmp_path)
    with pytest.raises(ValueError, match="split: expected one of train, test"):
        mnist(tmp_path, split="valid")
    write(tmp_path / "train-images-idx3-ubyte", IMAGES)
    with pytest.raises(FileNotFoundError, match="put train-labels"):
        mnist(tmp_path)
    write(tmp_path / "train-labels-idx1-ubyte", LABELS[:2])
    with pytest.raises(FileFormatError, match=r"expected 3 labels, .* got \(2,\)"):
        mnist(tmp_path)
    write(tmp_path / "train-images-idx3-ubyte", IMAGES[0])
    with pytest.raises(FileFormatError, match=r"expected pictures uint8 \(n, height, width\)"):
        mnist(tmp_path)


def test_the_published_files(shared) -> None:
    train, test = (mnist(shared / "data" / "mnist", split=split) for split in ("train", "test"))
    assert train.images.shape == (60000, 28, 28) and test.images.shape == (10000, 28, 28)
    # Counts as published.
    assert np.bincount(train.labels)[[4, 9]].tolist() == [5842, 5949]
    assert np.bincount(test.labels)[[4, 9]].tolist() == [982, 1009]
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    # Their ink lies in the middle: digits were centred by their mass.
    assert train.images.mean(axis=0)[9:19, 9:19].mean() > 70 > 10 > train.images[:, :4].mean()
