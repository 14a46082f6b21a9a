"""Rows with ids: where each is, which are alive, what the next id is, and which rows a filter admits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.store.keyed import Keyed, Keys, as_new_ids, check_ids, last_of, next_id_from


def ids(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass(frozen=True)
class Doubled(Keyed):
    """Rows with a column, and something that is made of it."""

    column: np.ndarray

    @lazy
    def double(self) -> np.ndarray:
        return 2 * self.column


def test_a_row_is_found_by_its_id_while_it_lives() -> None:
    for order in ([2, 5, 9], [9, 2, 5]):
        rows = Keyed(ids(*order))
        assert rows.find(ids(9, 3, 2, 10, 0)).tolist() == [
            order.index(9),
            -1,
            order.index(2),
            -1,
            -1,
        ]
        fewer = rows.without([order.index(9)])
        assert fewer.find(ids(9, 5)).tolist() == [-1, order.index(5)]
        assert (len(fewer), fewer.living, sorted(fewer.living_ids().tolist())) == (3, 2, [2, 5])
        assert rows.living == 3 and rows.find(ids(9))[0] >= 0  # the older one is as it was
    assert Keyed(ids()).find(ids(0, 7)).tolist() == [-1, -1]


def test_of_an_id_that_came_back_the_last_row_counts() -> None:
    rows = Keyed(ids(4, 8, 4), alive=np.array([0, 1, 1], np.uint8))
    assert rows.find(ids(4, 8)).tolist() == [2, 1]
    assert rows.without([2]).find(ids(4)).tolist() == [-1]


def test_against_a_dictionary(rng: np.random.Generator) -> None:
    """Rows come and go at random, also under ids that were there before."""
    rows, known = Keyed(ids()), {}
    for _ in range(60):
        new = np.setdiff1d(rng.integers(0, 40, 6), list(known)).astype(np.int64)
        alive = (
            None
            if rows.alive is None
            else np.concatenate([rows.alive, np.ones(len(new), np.uint8)])
        )
        known |= {int(id): len(rows) + i for i, id in enumerate(new)}
        rows = Keyed(np.concatenate([rows.ids, new]), alive=alive)
        gone = rng.integers(0, 40, 3)
        found = rows.find(gone.astype(np.int64))
        assert found.tolist() == [known.get(int(id), -1) for id in gone]
        rows = rows.without(found[found >= 0])
        for id in gone.tolist():
            known.pop(id, None)
        assert rows.living == len(known)
        assert rows.find(np.arange(40)).tolist() == [known.get(id, -1) for id in range(40)]


def test_what_was_made_of_columns_stays_where_rows_are_marked() -> None:
    rows = Doubled(ids(1, 2), np.array([3, 4]))
    made = rows.double
    assert rows.without([0]).double is made
    assert Doubled(ids(1, 2), np.array([3, 4])).without([0]).double.tolist() == [6, 8]


def test_more_than_a_quarter_removed_is_sparse() -> None:
    rows = Keyed(np.arange(8))
    assert not rows.without([0, 1]).sparse and rows.without([0, 1, 2]).sparse
    assert not rows.sparse and not Keyed(ids()).sparse


def test_ids_are_issued_once() -> None:
    keys = Keys((Keyed(ids(3, 7)),), 8)
    assert keys.issued(None, 3).tolist() == [8, 9, 10] and keys.issued(ids(4), 1).tolist() == [4]
    assert keys.after(ids(4)) == 8 and keys.after(ids(30)) == 31 and keys.after(ids()) == 8
    with pytest.raises(ValueError, match="^ids: 7 is in the index already; use update"):
        keys.issued(ids(5, 7), 2)
    with pytest.raises(ValueError, match="^ids: none are left to number on from"):
        Keys((), 1 << 63).issued(None, 1)
    assert Keys((), 1 << 63).issued(None, 0).tolist() == []
    with pytest.raises(ValueError, match="^ids: expected each id once"):
        as_new_ids([1, 1], 2)
    with pytest.raises(ValueError, match="^ids: expected 3 ids"):
        as_new_ids([1, 2], 3)
    assert as_new_ids(None, 3) is None


def test_rows_over_several_parts() -> None:
    keys = Keys((Keyed(ids(5, 1)), Keyed(ids(9, 2, 4), alive=np.array([1, 0, 1], np.uint8))), 10)
    assert len(keys) == 4 and keys.ids.tolist() == [5, 1, 9, 4]
    assert 9 in keys and np.int64(4) in keys
    assert 2 not in keys and "5" not in keys and -1 not in keys and 1 << 64 not in keys
    (_, mine, rows), (_, others, more) = keys.located(ids(4, 5))
    assert (mine.tolist(), rows.tolist(), others.tolist(), more.tolist()) == ([1], [0], [0], [2])
    with pytest.raises(ValueError, match="^ids: 2 is not in the index"):
        keys.located(ids(5, 2))
    parts, removed = keys.without(ids(1, 2, 4, 77))
    assert removed == 2 and [part.living for part in parts] == [1, 1]
    assert keys.order_of(ids(9, 1, 4, 5)).tolist() == [2, 1, 3, 0]
    with pytest.raises(ValueError, match="^ids: expected the ids of all"):
        keys.order_of(ids(9, 1, 4))


@pytest.mark.parametrize("first", [[5, 1, 3], [1, 2, 3]])
def test_filters(first: list[int]) -> None:
    """A mask follows the ids as they are, or ascending; ids say the same; what was removed is never admitted."""
    keys = Keys((Keyed(ids(*first)), Keyed(ids(0, 4), alive=np.array([0, 1], np.uint8))), 10)
    wanted = [3, 4, 0, 99]
    by_ids = [mask.tolist() for mask in keys.admitted(wanted)]
    assert by_ids == [[int(id == 3) for id in first], [0, 1]]
    as_they_are = np.isin(keys.ids, wanted)
    assert [mask.tolist() for mask in keys.admitted(as_they_are)] == by_ids
    ascending = np.isin(np.sort(keys.ids), wanted)
    assert [mask.tolist() for mask in keys.admitted(ascending, ascending=True)] == by_ids
    assert keys.admitted(None) == [None, keys.parts[1].alive]
    assert not any(mask.any() for mask in keys.admitted([]))
    with pytest.raises(ValueError, match="^filter: expected a mask of 4 rows or ids"):
        keys.admitted(np.ones(5, bool))


def test_the_last_of_an_id_counts() -> None:
    assert last_of(ids(7, 3, 7, 3, 1)).tolist() == [4, 3, 2]


@pytest.mark.parametrize("bad", [[-1, 2], [2, 2], [2, 5]])
def test_saved_ids_are_checked(bad: list[int]) -> None:
    check_ids(ids(4, 0), 5)
    with pytest.raises(FileFormatError, match="array 'ids'"):
        check_ids(ids(*bad), 5)
    with pytest.raises(FileFormatError, match="array 'next_id'"):
        next_id_from({"next_id": np.array([(1 << 63) + 1], np.uint64)})
    assert next_id_from({"next_id": np.array([1 << 63], np.uint64)}) == 1 << 63
