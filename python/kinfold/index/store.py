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
    """How the vectors of the second look are kept: 8-bit numbers need centre and scale."""

    dtype: str
    centre: Vectors | None = None
    scale: float = 0.0

    @classmethod
    def fit(cls, dtype: str, x: Vectors) -> Fine:
        """Vectors of this dtype; 8-bit numbers learn their range from x (n, d)."""
        return cls(dtype, *(_core.scan.fit_bytes(x, "l2", False) if dtype == "uint8" else ()))

    def arrays(self) -> Arrays:
        """What was learnt."""
        if self.centre is None:
            return {}
        return {"centre": self.centre, "scale": np.array([self.scale], np.float32)}

    @classmethod
    def from_arrays(cls, dtype: str, dim: int, arrays: Mapping[str, NDArray[Any]]) -> Fine:
        """The same from its parts."""
        check_only(arrays, {"centre", "scale"} if dtype == "uint8" else set(), "arrays")
        if dtype != "uint8":
            return cls(dtype)
        centre = take(arrays, "centre", np.float32, (dim,))
        scale = float(take(arrays, "scale", np.float32, (1,))[0])
        if not (np.isfinite(centre).all() and np.isfinite(scale) and scale > 0):
            raise FileFormatError("array 'refine.centre': expected finite numbers, a scale above 0")
        return cls("uint8", np.ascontiguousarray(centre), scale)

    def encode(self, x: Vectors) -> NDArray[Any]:
        """Vectors as they are kept; ValueError for numbers that half precision cannot hold."""
        if self.dtype == "uint8":
            steps = np.rint((x - np.asarray(self.centre)) * np.float32(1 / self.scale))
            return (steps.clip(-128, 127) + 128).astype(np.uint8)
        with np.errstate(over="ignore"):
            kept = x.astype(self.dtype)
        if not np.isfinite(kept).all():
            raise ValueError("x: expected numbers up to 65504 for a float16 refinement")
        return kept

    def decode(self, kept: NDArray[Any]) -> Vectors:
        """What the kept numbers stand for."""
        if self.dtype != "uint8":
            return kept.astype(np.float32)
        steps = (kept.astype(np.float64) - 128) * np.float64(np.float32(self.scale))
        return (steps + np.asarray(self.centre)).astype(np.float32)


@dataclass(frozen=True)
class Batch:
    """Rows in any order, unpacked."""

    cells: Ids
    ids: Ids
    rows: Arrays
    fine: NDArray[Any] | None

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
        segment = _core.scan.Segment(n_cells, self.cells, self.starts, self.ids, self.alive)
        packing.attach(segment, self.packed)
        if fine is not None:
            segment.fine(self.fine, fine.centre, fine.scale)
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
