"""Exact search: the reference that every other index is held against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Ids,
    Vectors,
    as_choice,
    as_count,
    as_ids,
    as_number,
    as_vectors,
    read_only,
)
from kinfold.base.errors import FileFormatError
from kinfold.base.locks import Lock
from kinfold.base.metrics import as_metric
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take, take_param
from kinfold.index.base import RangeResult, filter_rows, unit_rows
from kinfold.index.tune import Setting, tune

FILTERS = ("auto", "u8", "f32", "none")


class _Rows(NamedTuple):
    """One consistent state. It is replaced as a whole, so a search sees the old one or the new one."""

    vectors: Vectors  # (n, d), a view of a buffer that may have room for more
    ids: Ids
    scan: Any  # _core.scan.ExactScan over at least these rows
    next_id: int  # what ids number on from: none is given twice


class FlatIndex(Restorable):
    """Exact k nearest neighbours by exhaustive scan.

    Answers are ranked by the float32 distance, ties by ascending id. An 8-bit copy of the vectors
    (a quarter of their size) and float32 products serve as filters with proven bounds; they decide
    only which pairs need that distance, so the answer depends neither on them nor on the
    instruction set, the batch or the threads.

    Parameters
    ----------
    dim : dimension of the vectors
    metric : "l2" (squared Euclidean distance), "ip" (inner product) or "cosine"
    shadow : keep the 8-bit copy. Without it, searches read all of the float32 vectors.

    Several threads may search while one adds or removes.
    """

    kind: ClassVar[str] = "index.Flat"
    # ``reconstruct`` gives back what was added (for "cosine", its direction).
    keeps_vectors: ClassVar[bool] = True

    def __init__(self, dim: int, *, metric: str = "l2", shadow: bool = True) -> None:
        self.dim = as_count(dim, "dim", most=1 << 20)
        self.metric = as_metric(metric)
        self.shadow = bool(shadow)
        self._lock = Lock()
        self._vector_store, self._id_store = _Store(), _Store()
        self._rows = self._scan_of(np.empty((0, self.dim), np.float32), np.empty(0, np.int64), 0)

    def __repr__(self) -> str:
        return f"FlatIndex(dim={self.dim}, metric={self.metric!r}, n={len(self)})"

    def __len__(self) -> int:
        return len(self._rows.ids)

    @property
    def ids(self) -> Ids:
        """The stored ids, in the order of the rows; read-only."""
        return read_only(self._rows.ids)

    def train(self, x: Any) -> FlatIndex:
        """Nothing to learn; there so that all indexes are used alike."""
        as_vectors(x, "x", dim=self.dim)
        return self

    def add(self, x: Any, ids: Any = None) -> Ids:
        """Add vectors (n, d) and return their ids (n,), which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        vectors = self._prepared(x, "x", empty=True)
        given = None if ids is None else as_ids(ids, "ids", n=len(vectors))
        with self._lock:
            rows = self._rows
            if given is None:
                if rows.next_id + len(vectors) > 1 << 63:
                    raise ValueError(
                        f"ids: none are left to number on from {rows.next_id}; give ids"
                    )
                new_ids = np.arange(rows.next_id, rows.next_id + len(vectors), dtype=np.int64)
            else:
                new_ids = given
                if len(np.unique(new_ids)) != len(new_ids):
                    raise ValueError("ids: expected each id once, got one twice")
                present = new_ids[np.isin(new_ids, rows.ids)]
                if len(present):
                    raise ValueError(f"ids: {present[0]} is in the index already; use update")
            if not len(vectors):
                return new_ids
            # Behind the present rows, in place of what an interrupted addition left there; seen when the rows are.
            rows.scan.append(vectors, at=len(rows.ids))
            self._rows = _Rows(
                self._vector_store.extended(rows.vectors, vectors),
                self._id_store.extended(rows.ids, new_ids),
                rows.scan,
                max(rows.next_id, int(new_ids.max()) + 1),
            )
            return new_ids

    def remove(self, ids: Any) -> int:
        """Remove vectors by id and return how many were there; unknown ids are ignored."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            rows = self._rows
            keep = ~np.isin(rows.ids, wanted)
            removed = int(len(keep) - keep.sum())
            if removed:
                self._rows = self._scan_of(rows.vectors[keep], rows.ids[keep], rows.next_id)
            return removed

    def update(self, ids: Any, x: Any) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        with self._lock:
            rows = self._rows
            where = _places(rows.ids, wanted)
            fresh = rows.vectors.copy()
            fresh[where] = vectors
            self._rows = self._scan_of(fresh, rows.ids, rows.next_id)

    def reconstruct(self, ids: Any) -> Vectors:
        """The stored vectors (n, d) of ids; for "cosine" they have length one."""
        rows = self._rows
        return rows.vectors[_places(rows.ids, as_ids(ids, "ids"))]

    def search(
        self, queries: Any, k: int = 10, *, filter: Any = None, threads: int = 0, scan: str = "auto"
    ) -> Neighbours:
        """The k nearest neighbours of each query.

        queries : (n, d), or one vector (d,), which is answered by (k,)
        filter : ids that may answer, or a boolean mask over the rows
        threads : 0 for the library's setting
        scan : which filter to scan with, "u8", "f32" or "none"; the answer is the same
        Returns distances float32 (n, k) and ids int64 (n, k), nearest first; where there are fewer
        than k: +inf (similarities: -inf) and -1.
        """
        k = as_count(k, "k", most=1 << 24)
        rows = self._rows
        one = np.ndim(queries) == 1
        vectors = self._prepared(queries, "queries", empty=True, one=True)
        distances, found = rows.scan.search(
            rows.vectors, vectors, k, rows.ids, None if filter is None else filter_rows(filter, rows.ids),
            self._scan_name(scan), as_count(threads, "threads", least=0, most=1024),
        )  # fmt: skip
        if self.metric != "l2":
            np.negative(distances, out=distances)
        return Neighbours(distances[0], found[0]) if one else Neighbours(distances, found)

    def tune(
        self, queries: Any, truth: Any = None, k: int = 10, *, recall: float = 0.9, **choices: Any
    ) -> Setting:
        """Nothing to choose; measures what a search takes, as of other indexes. See `kinfold.index.tune`."""
        return tune(self, queries, truth, k, recall=recall, **choices)

    def range_search(
        self,
        queries: Any,
        radius: float,
        *,
        filter: Any = None,
        threads: int = 0,
        scan: str = "auto",
    ) -> RangeResult:
        """All vectors within a radius of each query, nearest first.

        radius : squared distance at most this ("l2"), or similarity at least this
        Returns starts int64 (n + 1,), distances float32 and ids int64 of all entries.
        """
        rows = self._rows
        vectors = self._prepared(queries, "queries", empty=True, one=True)
        bound = as_number(radius, "radius", least=0.0 if self.metric == "l2" else -np.inf)
        starts, distances, found = rows.scan.range_search(
            rows.vectors, vectors, bound if self.metric == "l2" else -bound, rows.ids,
            None if filter is None else filter_rows(filter, rows.ids),
            self._scan_name(scan), as_count(threads, "threads", least=0, most=1024),
        )  # fmt: skip
        return RangeResult(starts, distances if self.metric == "l2" else -distances, found)

    def stats(self) -> dict[str, JSON]:
        """Sizes: vectors, bytes of a vector, bytes of what serves only the search."""
        rows = self._rows
        return {
            "n": len(rows.ids),
            "bytes_per_vector": 4 * self.dim + 8,
            "filter_bytes": int(rows.scan.shadow_bytes),
        }

    def save(self, path: str | Path) -> None:
        """Write to a `.kin` file; `kinfold.load` reads it."""
        from kinfold.io import kin

        kin.save(self, path)

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {"dim": self.dim, "metric": self.metric, "shadow": self.shadow}

    def arrays(self) -> Arrays:
        """The vectors, their ids, and the id that numbering goes on from: one consistent state."""
        rows = self._rows
        next_id = np.array([rows.next_id], np.uint64)
        return {"vectors": rows.vectors, "ids": rows.ids, "next_id": next_id}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> FlatIndex:
        """An index over the arrays as they are, memory-mapped or not; the 8-bit copy is made anew."""
        check_only(params, {"dim", "metric", "shadow"}, "parameters")
        check_only(arrays, {"vectors", "ids", "next_id"}, "arrays")
        index = cls(
            take_param(params, "dim", int),
            metric=take_param(params, "metric", str),
            shadow=take_param(params, "shadow", bool),
        )
        vectors = take(arrays, "vectors", np.float32, (None, index.dim))
        ids = take(arrays, "ids", np.int64, (len(vectors),))
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        if len(ids) and (ids.min() < 0 or len(np.unique(ids)) != len(ids) or ids.max() >= next_id):
            raise FileFormatError("array 'ids': expected distinct ids from 0 below next_id")
        if next_id > 1 << 63:
            raise FileFormatError(f"array 'next_id': got {next_id}")
        index._rows = index._scan_of(
            np.ascontiguousarray(vectors), np.ascontiguousarray(ids), next_id
        )
        return index

    def _prepared(self, x: Any, name: str, *, empty: bool, one: bool = False) -> Vectors:
        cosine = self.metric == "cosine"  # lengths are divided out, whatever they are
        vectors = as_vectors(x, name, dim=self.dim, empty=empty, one=one, long=cosine)
        return unit_rows(vectors) if cosine else vectors

    def _scan_name(self, scan: str) -> str:
        as_choice(scan, "scan", FILTERS)
        if scan == "u8" and not self.shadow:
            raise ValueError("scan: this index keeps no 8-bit copy (shadow=False)")
        return scan

    def _scan_of(self, vectors: Vectors, ids: Ids, next_id: int) -> _Rows:
        scan = _core.scan.ExactScan(self.dim, "l2" if self.metric == "l2" else "ip", self.shadow)
        scan.append(vectors)
        return _Rows(vectors, ids, scan, next_id)


def _places(stored: Ids, ids: Ids) -> NDArray[np.intp]:
    """The rows of ids; ValueError for one that is not stored."""
    order = np.argsort(stored, kind="stable")
    where = np.searchsorted(stored, ids, sorter=order)
    found = np.zeros(len(ids), bool)
    inside = where < len(stored)
    found[inside] = stored[order[where[inside]]] == ids[inside]
    if not found.all():
        raise ValueError(f"ids: {ids[~found][0]} is not in the index")
    return order[where]


class _Store:
    """Rows in a buffer of our own with room to grow.

    Readers of an older view are not disturbed: rows are only ever written beyond its end.
    """

    def __init__(self) -> None:
        self._buffer: NDArray[Any] | None = None

    def extended(self, array: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
        """``array`` followed by ``more``: in place where array is a view of our buffer with room left."""
        n, total = len(array), len(array) + len(more)
        buffer = self._buffer
        if buffer is None or array.base is not buffer or len(buffer) < total:
            buffer = np.empty((max(total, 2 * n), *array.shape[1:]), array.dtype)
            buffer[:n] = array
            self._buffer = buffer
        buffer[n:total] = more
        return buffer[:total]
