"""Buckets of sign keys, against the signs taken one by one."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.raw import RawVectors
from kinfold.index.proposers.hash_tables import HashTables

X = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
CODEC = RawVectors(8, metric="l2").fit(X, np.zeros(len(X), np.int64), None)


def made() -> tuple[HashTables, dict[str, np.ndarray]]:
    tables = HashTables(bits=5, tables=3, seed=4).fit(X)
    return tables, tables.build(X, CODEC)


def test_each_row_stands_once_in_the_bucket_of_its_signs() -> None:
    tables, arrays = made()
    projected = tables.signs.project(X)
    for t in range(3):
        signs = projected[:, 5 * t : 5 * (t + 1)] >= 0
        key = [sum(1 << bit for bit in range(5) if row[bit]) for row in signs]
        starts, order = arrays["starts"][t], arrays["order"][t]
        assert sorted(order.tolist()) == list(range(300))
        for bucket in range(32):
            rows = order[starts[bucket] : starts[bucket + 1]].tolist()
            assert rows == [i for i in range(300) if key[i] == bucket]


def test_queries_bring_their_projections() -> None:
    tables, _ = made()
    assert tables.keys(X[:7]).shape == (7, 15)
    np.testing.assert_array_equal(tables.keys(X[:7]), tables.signs.project(X[:7]))


def test_tables_from_their_state_give_the_same_buckets() -> None:
    tables, arrays = made()
    again = HashTables.from_state(tables.params(), tables.arrays())
    for name, array in again.build(X, CODEC).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("name", ["starts", "order"])
def test_addresses_from_a_file_are_checked(name) -> None:
    tables, arrays = made()
    tables.check(arrays, 300, 8)
    for wrong in (arrays[name][:2], arrays[name].astype(np.int64), arrays[name] + np.uint32(300)):
        with pytest.raises(FileFormatError, match=name):
            tables.check({**arrays, name: np.ascontiguousarray(wrong)}, 300, 8)
