"""Rows sorted by cell, in sealed segments: additions make new ones, and small ones are merged into larger.

A segment never changes; what changes is which segments an index has, and that is swapped as a whole. So a
search sees the state before or after, and n additions move each row about log n times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned
from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.base.state import Arrays, check_only, check_starts, strip_prefix, take
from kinfold.index.codecs.scale import ByteScale

REFINEMENTS = ("float32", "float16", "uint8")


class Packing(Protocol):
    """How the rows of a segment are kept; see `codecs.base.Codec`."""

    def pack(self, rows: Arrays) -> Arrays:
        """Rows sorted by cell, as the engine reads them."""
        ...

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some rows of what was packed."""
        ...

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        ...

    def attach(self, segment: Any, packed: Mapping[str, NDArray[Any]]) -> None:
        """Give the packed arrays to a compiled segment."""
        ...


@dataclass(frozen=True)
class Fine:
    """How the vectors of the second look are kept: 8-bit numbers need a scale."""

    dtype: str
    scale: ByteScale | None = None

    @classmethod
    def fit(cls, dtype: str, x: Vectors, metric: str) -> Fine:
        """Vectors of this dtype; 8-bit numbers learn their range from x (n, d)."""
        return cls(dtype, ByteScale.fit(x, metric) if dtype == "uint8" else None)

    def arrays(self) -> Arrays:
        """What was learnt."""
        return {} if self.scale is None else self.scale.arrays()

    @classmethod
    def from_arrays(cls, dtype: str, dim: int, arrays: Mapping[str, NDArray[Any]]) -> Fine:
        """The same from its parts."""
        if dtype == "uint8":
            return cls(dtype, ByteScale.from_arrays(arrays, dim))
        check_only(arrays, set(), "arrays")
        return cls(dtype)

    def parts(self) -> tuple[Vectors | None, Vectors | None]:
        """Centre and steps of 8-bit numbers, as the engine takes them."""
        return (None, None) if self.scale is None else (self.scale.centre, self.scale.steps)

    def encode(self, x: Vectors) -> NDArray[Any]:
        """Vectors as they are kept; ValueError for numbers that half precision cannot hold."""
        if self.scale is not None:
            return self.scale.encode(x)
        with np.errstate(over="ignore"):
            kept = x.astype(self.dtype)
        if not np.isfinite(kept).all():
            raise ValueError("x: expected numbers up to 65504 for a float16 refinement")
        return kept

    def beyond(self, x: Vectors) -> int:
        """How many vectors the scale does not hold."""
        return 0 if self.scale is None else self.scale.beyond(x)

    def decode(self, kept: NDArray[Any]) -> Vectors:
        """What the kept numbers stand for."""
        return kept.astype(np.float32) if self.scale is None else self.scale.decode(kept)


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
class Segment:
    """Rows sorted by cell, packed as the engine reads them.

    cells : uint32, the cells that have rows, ascending; starts : int64, where their rows start
    alive : uint8 (n,), 0 where a row was removed, or None
    """

    cells: NDArray[np.uint32]
    starts: Ids
    ids: Ids
    packed: Arrays
    fine: NDArray[Any] | None
    alive: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def living(self) -> int:
        """How many rows have not been removed."""
        return len(self) if self.alive is None else int(self.alive.sum())

    @lazy
    def _by_id(self) -> tuple[Ids, NDArray[np.intp]]:
        order = np.argsort(self.ids, kind="stable")
        if self.alive is not None:
            order = order[self.alive[order] != 0]
        return self.ids[order], order

    def living_rows(self) -> NDArray[np.intp]:
        """The rows that have not been removed."""
        return np.arange(len(self)) if self.alive is None else np.flatnonzero(self.alive)

    def sizes(self) -> tuple[Ids, Ids]:
        """Cells with rows, and how many living ones each has."""
        cells, counts = np.unique(self.cells_of(self.living_rows()), return_counts=True)
        return cells, counts

    def find(self, ids: Ids) -> NDArray[np.intp]:
        """The row of each id; -1 where it is not here."""
        known, order = self._by_id
        if not len(known):
            return np.full(len(ids), -1, np.intp)
        at = np.searchsorted(known, ids).clip(max=len(known) - 1)
        return np.where(known[at] == ids, order[at], -1)

    def cells_of(self, rows: NDArray[Any]) -> Ids:
        """The cell of each row."""
        lists = np.searchsorted(self.starts, rows, side="right") - 1
        return self.cells[lists].astype(np.int64)

    def without(self, rows: NDArray[Any]) -> Segment:
        """The same with some rows removed."""
        alive = np.ones(len(self), np.uint8) if self.alive is None else self.alive.copy()
        alive[rows] = 0
        return Segment(self.cells, self.starts, self.ids, self.packed, self.fine, alive)

    def batch(self, packing: Packing, rows: NDArray[Any] | None = None) -> Batch:
        """Some living rows, or all, unpacked."""
        if rows is None:
            rows = self.living_rows()
        fine = None if self.fine is None else self.fine[rows]
        return Batch(self.cells_of(rows), self.ids[rows], packing.unpack(self.packed, rows), fine)

    def engine(self, packing: Packing, n_cells: int, fine: Fine | None) -> Any:
        """The compiled segment over these arrays."""
        segment = _core.lists.Segment(n_cells, self.cells, self.starts, self.ids, self.alive)
        packing.attach(segment, self.packed)
        if fine is not None:
            segment.fine(self.fine, *fine.parts())
        return segment


def seal(batch: Batch, packing: Packing) -> Segment:
    """A segment of the rows, sorted by cell, in the order of arrival within one."""
    order = np.argsort(batch.cells, kind="stable")
    batch = batch.taken(order)
    cells, first = np.unique(batch.cells, return_index=True)
    starts = np.append(first, len(batch)).astype(np.int64)
    fine = None if batch.fine is None else aligned(batch.fine)
    return Segment(
        cells.astype(np.uint32),
        starts,
        np.ascontiguousarray(batch.ids),
        packing.pack(batch.rows),
        fine,
    )


def merged(segments: Sequence[Segment], packing: Packing) -> Segment:
    """One segment of the living rows of several."""
    return seal(Batch.joined([segment.batch(packing) for segment in segments]), packing)


def settled(segments: Sequence[Segment], packing: Packing) -> tuple[Segment, ...]:
    """Segments of falling size, each more than twice the next, none with more than a quarter removed."""
    kept: list[Segment] = []
    for segment in segments:
        living = segment.living
        if living == 0:
            continue
        kept.append(merged([segment], packing) if 4 * living < 3 * len(segment) else segment)
        while len(kept) > 1 and kept[-2].living < 2 * kept[-1].living:
            kept[-2:] = [merged(kept[-2:], packing)]
    return tuple(kept)


def to_arrays(segment: Segment) -> Arrays:
    """A segment without removed rows, as arrays to save."""
    packed = {f"packed.{name}": array for name, array in segment.packed.items()}
    fine = {} if segment.fine is None else {"fine": segment.fine}
    return {
        "cells": segment.cells, "starts": segment.starts, "ids": segment.ids, **packed, **fine,
    }  # fmt: skip


def from_arrays(
    arrays: Mapping[str, NDArray[Any]], packing: Packing, n_cells: int, fine: tuple[str, int] | None
) -> Segment:
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
    return Segment(cells, starts, ids, packed, kept)
