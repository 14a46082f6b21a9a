"""Rows sorted by cell, in sealed segments: what an index of vectors keeps of them, packed as the engine reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, aligned
from kinfold.base.errors import FileFormatError
from kinfold.base.state import Arrays, check_starts, strip_prefix, take
from kinfold.store.keyed import Keyed


class RowPacking(Protocol):
    """How the rows of a segment are kept."""

    def pack(self, rows: Arrays) -> Arrays:
        """Rows sorted by cell, as the engine reads them."""
        ...

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some rows of what was packed."""
        ...

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        ...


@dataclass(frozen=True)
class Batch:
    """Rows in any order, unpacked.

    beyond : how many of them 8-bit numbers do not hold; counted where vectors are encoded
    """

    cells: Ids
    ids: Ids
    rows: Arrays
    fine: NDArray[Any] | None
    beyond: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, which: NDArray[Any]) -> Batch:
        """Some of the rows."""
        rows = {name: array[which] for name, array in self.rows.items()}
        fine = None if self.fine is None else self.fine[which]
        return Batch(self.cells[which], self.ids[which], rows, fine)

    @staticmethod
    def joined(batches: Sequence[Batch]) -> Batch:
        """One after the other."""
        if len(batches) == 1:
            return batches[0]
        first = batches[0]
        rows = {name: np.concatenate([b.rows[name] for b in batches]) for name in first.rows}
        fine = None if first.fine is None else np.concatenate([np.asarray(b.fine) for b in batches])
        cells = np.concatenate([b.cells for b in batches])
        return Batch(cells, np.concatenate([b.ids for b in batches]), rows, fine)


@dataclass(frozen=True)
class RowSegment(Keyed):
    """Rows sorted by cell, packed as the engine reads them.

    cells : uint32, the cells that have rows, ascending; starts : int64, where their rows start
    """

    cells: NDArray[np.uint32]
    starts: Ids
    packed: Arrays
    fine: NDArray[Any] | None

    def cells_of(self, rows: NDArray[Any]) -> Ids:
        """The cell of each row."""
        lists = np.searchsorted(self.starts, rows, side="right") - 1
        return self.cells[lists].astype(np.int64)

    def sizes(self) -> tuple[Ids, Ids]:
        """Cells with rows, and how many living ones each has."""
        cells, counts = np.unique(self.cells_of(self.living_rows()), return_counts=True)
        return cells, counts

    def batch(self, packing: RowPacking, rows: NDArray[Any] | None = None) -> Batch:
        """Some living rows, or all, unpacked."""
        if rows is None:
            rows = self.living_rows()
        fine = None if self.fine is None else self.fine[rows]
        return Batch(self.cells_of(rows), self.ids[rows], packing.unpack(self.packed, rows), fine)


def seal(batch: Batch, packing: RowPacking) -> RowSegment:
    """A segment of the rows, sorted by cell, in the order of arrival within one."""
    order = np.argsort(batch.cells, kind="stable")
    batch = batch.taken(order)
    cells, first = np.unique(batch.cells, return_index=True)
    starts = np.append(first, len(batch)).astype(np.int64)
    fine = None if batch.fine is None else aligned(batch.fine)
    ids = np.ascontiguousarray(batch.ids)
    return RowSegment(ids, cells.astype(np.uint32), starts, packing.pack(batch.rows), fine)


@dataclass(frozen=True)
class Sealing:
    """Segments are brought together by unpacking and packing their rows."""

    packing: RowPacking

    def merged(self, parts: Sequence[RowSegment]) -> RowSegment:
        """One segment of the living rows of several."""
        return seal(Batch.joined([part.batch(self.packing) for part in parts]), self.packing)

    def fits(self, parts: Sequence[RowSegment]) -> bool:
        """Any do."""
        return True


def to_arrays(segment: RowSegment) -> Arrays:
    """A segment without removed rows, as arrays to save."""
    packed = {f"packed.{name}": array for name, array in segment.packed.items()}
    fine = {} if segment.fine is None else {"fine": segment.fine}
    return {
        "cells": segment.cells, "starts": segment.starts, "ids": segment.ids, **packed, **fine,
    }  # fmt: skip


def from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    packing: RowPacking,
    n_cells: int,
    fine: tuple[str, int] | None,
) -> RowSegment:
    """A segment from saved arrays; what serves as an address is checked.

    fine : dtype and dimension of the second look's vectors
    """
    ids = take(arrays, "ids", np.int64, (None,))
    cells = take(arrays, "cells", np.uint32, (None,))
    starts = take(arrays, "starts", np.int64, (len(cells) + 1,))
    check_starts(starts, len(ids), "starts")
    if len(cells) and (cells[-1] >= n_cells or (cells[1:] <= cells[:-1]).any()):
        raise FileFormatError(f"array 'cells': expected ascending cells below {n_cells}")
    packed = strip_prefix("packed", arrays)
    known = {"ids", "cells", "starts", "fine", *(f"packed.{name}" for name in packed)}
    if set(arrays) - known or ("fine" in arrays) != (fine is not None):
        raise FileFormatError("rows: arrays are not those of such an index")
    packing.check(packed, len(ids))
    kept = None
    if fine is not None:
        kept = take(arrays, "fine", np.dtype(fine[0]), (len(ids), fine[1]))
    return RowSegment(ids, cells, starts, packed, kept)
