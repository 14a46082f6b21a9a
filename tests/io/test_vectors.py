"""Tables by the ending of their file."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.io.npy import write_npy
from kinfold.io.vecs import write_vecs
from kinfold.io.vectors import read_vectors


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("ending", [".npy", ".fvecs", ".bvecs", ".ivecs"])
def test_every_ending(ending, mmap, tmp_path, rng) -> None:
    table = rng.integers(0, 200, (7, 5))
    path = tmp_path / f"x{ending}"
    (write_npy if ending == ".npy" else write_vecs)(path, table)
    np.testing.assert_array_equal(read_vectors(path, mmap=mmap), table)


def test_errors_name_the_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.npy: there is no such file"):
        read_vectors(tmp_path / "none.npy")
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(FileFormatError, match=r"x\.csv: expected a name ending in \.npy, \.fvecs"):
        read_vectors(tmp_path / "x.csv")
    for shape in ((3,), (0, 3), (2, 2, 2)):
        write_npy(tmp_path / "x.npy", np.zeros(shape))
        with pytest.raises(FileFormatError, match=r"x\.npy: expected vectors \(n, d\), got shape"):
            read_vectors(tmp_path / "x.npy")
    (tmp_path / "x.fvecs").write_bytes(b"")
    with pytest.raises(FileFormatError, match="expected vectors"):
        read_vectors(tmp_path / "x.fvecs")
