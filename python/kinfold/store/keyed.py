"""Rows with ids: which id is in which row, which rows were removed, and what the next id is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_array, as_ids, as_ndarray
from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.base.state import take

Marks = NDArray[np.uint8]
K = TypeVar("K", bound="Keyed")


@dataclass(frozen=True)
class Keyed:
    """Some rows and their ids, never changed; whoever derives from it adds columns.

    ids : int64 (n,). Of rows with one id, which came back after it was removed, only the last may be alive
    alive : uint8 (n,), 0 where a row was removed, or None
    """

    ids: Ids
    alive: Marks | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        """All rows, those that were removed too."""
        return len(self.ids)

    @property
    def living(self) -> int:
        """How many rows have not been removed."""
        return len(self) if self.alive is None else int(np.count_nonzero(self.alive.view(np.bool_)))

    @property
    def sparse(self) -> bool:
        """Whether more than a quarter was removed: time to pack the rest anew."""
        return 4 * self.living < 3 * len(self)

    def living_rows(self) -> NDArray[np.intp]:
        """The rows that have not been removed."""
        return np.arange(len(self)) if self.alive is None else np.flatnonzero(self.alive)

    def living_ids(self) -> Ids:
        """Their ids."""
        return self.ids if self.alive is None else self.ids[self.alive.view(np.bool_)]

    @lazy
    def ascending(self) -> bool:
        """Whether the ids of all rows ascend."""
        return bool((self.ids[1:] > self.ids[:-1]).all())

    @lazy
    def _by_id(self) -> tuple[Ids, NDArray[np.intp] | None]:
        """All ids ascending, and their rows; None where the rows ascend."""
        if self.ascending:
            return self.ids, None
        order = np.argsort(self.ids, kind="stable")
        return self.ids[order], order

    def find(self, ids: Ids) -> NDArray[np.intp]:
        """The living row of each id; -1 where it is not here."""
        if not len(self):
            return np.full(len(ids), -1, np.intp)
        known, order = self._by_id
        at = np.searchsorted(known, ids, side="right") - 1
        here = (at >= 0) & (known[at] == ids)
        rows = at if order is None else order[at]
        if self.alive is not None:
            here &= self.alive[rows] != 0
        return np.where(here, rows, -1)

    def without(self: K, rows: NDArray[Any]) -> K:
        """The same with some rows removed; what was made of its columns stays."""
        alive = np.ones(len(self), np.uint8) if self.alive is None else self.alive.copy()
        alive[rows] = 0
        fewer = replace(self, alive=alive)
        for name, value in vars(self).items():
            vars(fewer).setdefault(name, value)
        return fewer


@dataclass(frozen=True)
class Keys(Generic[K]):
    """The rows of one moment, in parts; an id is alive in one of them at most.

    next_id : what ids number on from: none is given twice
    """

    parts: tuple[K, ...] = ()
    next_id: int = 0

    def __len__(self) -> int:
        """The living rows."""
        return sum(part.living for part in self.parts)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, (int, np.integer)) or not 0 <= id < 1 << 63:
            return False
        return any(part.find(np.array([id]))[0] >= 0 for part in self.parts)

    @property
    def ids(self) -> Ids:
        """The ids of the living rows, part by part."""
        parts = [part.living_ids() for part in self.parts]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @lazy
    def places(self) -> NDArray[np.intp]:
        """The place of each living row's id among all of them, ascending."""
        ids = self.ids
        first = int(ids.min(initial=1 << 62))
        if int(ids.max(initial=-1)) - first == len(ids) - 1:
            return ids - first
        places = np.empty(len(ids), np.intp)
        places[np.argsort(ids)] = np.arange(len(ids))
        return places

    # --- ids that come ---------------------------------------------------------------------------------

    def issued(self, given: Ids | None, n: int) -> Ids:
        """The ids of n new rows: those that are given, which must be new, or the next numbers."""
        if given is not None:
            self.refuse_known(given)
            return given
        if self.next_id + n > 1 << 63:
            raise ValueError(f"ids: none are left to number on from {self.next_id}; give ids")
        return np.arange(self.next_id, self.next_id + n, dtype=np.int64)

    def refuse_known(self, ids: Ids) -> None:
        """ValueError for an id that is stored."""
        for part in self.parts:
            there = part.find(ids) >= 0
            if there.any():
                raise ValueError(f"ids: {ids[there][0]} is in the index already; use update")

    def after(self, ids: Ids) -> int:
        """What ids number on from once these have come."""
        return max(self.next_id, int(ids.max(initial=-1)) + 1)

    # --- rows that are asked for -----------------------------------------------------------------------

    def located(self, ids: Ids) -> list[tuple[K, NDArray[np.intp], NDArray[np.intp]]]:
        """Parts with positions in ``ids`` and rows; ValueError for an id that is not there."""
        found, missing = [], np.ones(len(ids), bool)
        for part in self.parts:
            rows = part.find(ids)
            mine = np.flatnonzero(rows >= 0)
            missing[mine] = False
            found.append((part, mine, rows[mine]))
        if missing.any():
            raise ValueError(f"ids: {ids[missing][0]} is not in the index")
        return found

    def without(self, ids: Ids) -> tuple[tuple[K, ...], int]:
        """The parts with the rows of some ids removed, and how many there were."""
        parts, removed = [], 0
        for part in self.parts:
            rows = part.find(ids)
            rows = rows[rows >= 0]
            removed += len(rows)
            parts.append(part.without(rows) if len(rows) else part)
        return tuple(parts), removed

    def order_of(self, ids: Ids) -> NDArray[np.intp]:
        """The places in ``self.ids`` of these ids, which must be all of them, each once."""
        known = self.ids
        by_id = np.argsort(known, kind="stable")
        if not np.array_equal(np.sort(ids), known[by_id]):
            raise ValueError("ids: expected the ids of all photos, each once")
        return by_id[np.searchsorted(known, ids, sorter=by_id)]

    def admitted(self, filter: Any, *, ascending: bool = False) -> list[Marks | None]:
        """Of each part, 1 where a row is alive and a search's ``filter`` admits it; None where all are.

        filter : ids that may answer (unknown ids are ignored), or a boolean mask over ``ids``, as they are or ascending
        """
        if filter is None:
            return [part.alive for part in self.parts]
        array = as_ndarray(filter, "filter")
        array = as_array(array, "filter") if array.size else np.empty(0, np.int64)
        if array.dtype.kind == "b":
            if array.shape != (len(self),):
                raise ValueError(
                    f"filter: expected a mask of {len(self)} rows or ids, got shape {array.shape}"
                )
            mask = array.view(np.bool_)
            may = mask[self.places] if ascending else mask
        else:
            may = np.isin(self.ids, as_ids(array, "filter"))
        return list(self._masks(may))

    def _masks(self, may: NDArray[np.bool_]) -> Iterator[Marks]:
        at = 0
        for part in self.parts:
            mask = np.zeros(len(part), np.uint8)
            mask[part.living_rows()] = may[at : at + part.living]
            at += part.living
            yield mask


def as_new_ids(ids: Any, n: int) -> Ids | None:
    """The ids that are given for n new rows, each once; None where none are."""
    if ids is None:
        return None
    given = as_ids(ids, "ids", n=n)
    if len(np.unique(given)) != len(given):
        raise ValueError("ids: expected each id once, got one twice")
    return given


def last_of(ids: Ids) -> NDArray[np.intp]:
    """Where each id is given last, by ascending id: what counts of one that is given twice."""
    return len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1]


def next_id_from(arrays: Mapping[str, NDArray[Any]]) -> int:
    """The saved next id."""
    next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
    if next_id > 1 << 63:
        raise FileFormatError(f"array 'next_id': got {next_id}")
    return next_id


def check_ids(ids: Ids, next_id: int) -> None:
    """FileFormatError unless saved ids are distinct and below the next one."""
    if len(ids) and (ids.min() < 0 or ids.max() >= next_id or len(np.unique(ids)) < len(ids)):
        raise FileFormatError("array 'ids': expected distinct ids from 0 below next_id")
