"""Rows sorted by cell, and what a file may say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.index.rows import Batch, Sealing, from_arrays, seal, to_arrays


class Doubled:
    """Packs numbers as twice themselves."""

    def pack(self, rows: dict[str, Any]) -> dict[str, Any]:
        return {"twice": 2 * rows["x"]}

    def unpack(self, packed: dict[str, Any], rows: Any) -> dict[str, Any]:
        return {"x": packed["twice"][rows] // 2}

    def check(self, packed: dict[str, Any], n: int) -> None:
        if len(packed["twice"]) != n:
            raise FileFormatError("array 'twice': wrong length")


def batch(cells: list[int], first_id: int = 0) -> Batch:
    n = len(cells)
    ids = np.arange(first_id, first_id + n)
    fine = np.arange(2 * n, dtype=np.float32).reshape(n, 2) + first_id
    return Batch(np.array(cells), ids, {"x": ids * 10}, fine)


def test_rows_stand_by_cell_in_the_order_of_arrival() -> None:
    sealed = seal(batch([5, 2, 5, 2, 9]), Doubled())
    assert sealed.cells.tolist() == [2, 5, 9] and sealed.starts.tolist() == [0, 2, 4, 5]
    assert sealed.ids.tolist() == [1, 3, 0, 2, 4]
    assert sealed.packed["twice"].tolist() == [20, 60, 0, 40, 80]
    assert sealed.fine is not None and sealed.fine[:, 0].tolist() == [2, 6, 0, 4, 8]
    assert sealed.cells_of(np.arange(5)).tolist() == [2, 2, 5, 5, 9]


def test_what_is_unpacked_is_what_was_sealed() -> None:
    again = seal(batch([5, 2, 5, 2, 9]), Doubled()).batch(Doubled(), np.array([4, 0]))
    assert again.cells.tolist() == [9, 2] and again.rows["x"].tolist() == [40, 10]


def test_segments_are_joined_without_what_was_removed() -> None:
    first, second = seal(batch([1, 0, 1]), Doubled()), seal(batch([0, 3], 10), Doubled())
    joined = Sealing(Doubled()).merged([first.without([1]), second])
    living = [row for row in first.ids.tolist() if row != first.ids[1]] + [10, 11]
    assert sorted(joined.ids.tolist()) == sorted(living)
    cells, counts = joined.sizes()
    assert dict(zip(cells.tolist(), counts.tolist())) == {0: 2, 1: 1, 3: 1}


def test_arrays_and_back() -> None:
    sealed = seal(batch([4, 4, 1]), Doubled())
    arrays = to_arrays(sealed)
    again = from_arrays(arrays, Doubled(), 5, ("float32", 2))
    for name, array in to_arrays(again).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": np.array([1, 5], np.uint32)}, "ascending cells below 5"),
        ({"cells": np.array([4, 1], np.uint32)}, "ascending cells below 5"),
        ({"starts": np.array([0, 3, 2])}, "starts"),
        ({"starts": np.array([0, 1, 4])}, "starts"),
        ({"packed.twice": np.zeros(4, np.int64)}, "wrong length"),
        ({"fine": np.zeros((3, 1), np.float32)}, "fine"),
        ({"more": np.zeros(1)}, "not those"),
    ],
)
def test_addresses_from_a_file_are_checked(change, message) -> None:
    arrays = {**to_arrays(seal(batch([4, 4, 1]), Doubled())), **change}
    with pytest.raises(FileFormatError, match=message):
        from_arrays(arrays, Doubled(), 5, ("float32", 2))
