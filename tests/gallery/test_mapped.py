"""Mapped vectors against the index that was saved."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import FileFormatError
from kinfold.gallery.mapped import MappedVectors
from kinfold.io import kin


def test_the_vectors_of_ids_in_any_order(rng, tmp_path) -> None:
    x, ids = rng.standard_normal((50, 6), dtype=np.float32), rng.permutation(500)[:50]
    index = kf.FlatIndex(6, metric="ip")
    index.add(x, ids=ids)
    index.save(tmp_path / "i.kin")
    mapped = MappedVectors(tmp_path / "i.kin")
    assert mapped.dim == 6
    np.testing.assert_array_equal(mapped.ids, ids)
    some = rng.permutation(ids)[:20]
    np.testing.assert_array_equal(mapped.reconstruct(some), index.reconstruct(some))
    assert mapped.reconstruct(some[:0]).shape == (0, 6)


def test_what_is_none(rng, tmp_path) -> None:
    x = rng.standard_normal((5, 6), dtype=np.float32)
    kf.save(kf.PCA(2).fit(x), tmp_path / "pca.kin")
    with pytest.raises(FileFormatError, match="expected a index.Flat"):
        MappedVectors(tmp_path / "pca.kin")
    arrays = {"vectors": x, "ids": np.zeros(5, np.int64), "next_id": np.array([5], np.uint64)}
    for bad in (
        arrays,
        {**arrays, "ids": np.arange(4)},
        {**arrays, "vectors": x.astype(np.float64)},
    ):
        kin.write(tmp_path / "i.kin", "index.Flat", {"dim": 6, "metric": "ip", "shadow": True}, bad)
        with pytest.raises(FileFormatError, match="i.kin"):
            MappedVectors(tmp_path / "i.kin")
