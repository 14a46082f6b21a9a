"""An index of lists: transform, coarse partition, codec and second look, each chosen freely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import RLock
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
)
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.progress import progress
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take, take_param
from kinfold.index.base import METRICS, RangeResult, filter_rows, unit_rows
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Codec
from kinfold.index.codecs.product import ProductCodes
from kinfold.index.parts import KINDS, described, part_from
from kinfold.index.store import (
    Batch,
    Fine,
    Segment,
    from_arrays,
    merged,
    seal,
    settled,
    to_arrays,
)
from kinfold.index.tune import Setting, tune

REFINEMENTS = ("float32", "float16", "uint8")
# Vectors that are encoded at once, and rows that are gathered before a segment is made of them.
_CHUNK = 65536
_SEGMENT = 1 << 22


class _State(NamedTuple):
    """One consistent state, replaced as a whole."""

    segments: tuple[Segment, ...]
    next_id: int
    scan: Any  # _core.scan.CellScan


class CellIndex:
    """Approximate nearest neighbours through lists of codes.

    A query is transformed, the cells nearest to it are visited, their rows ranked by the float32 distance to
    what the codes stand for, ties by ascending id; with a second look, the shortlist by the distance to finer
    vectors. The answer is the best of all rows of the visited cells: it depends neither on the instruction
    set, the batch nor the threads.

    Parameters
    ----------
    dim : dimension of the vectors
    coarse : SingleCell (exhaustive), KMeansCells (inverted index) or MultiCells (inverted multi-index)
    codec : RawVectors, ByteVectors, ProductCodes or LocalCodes
    transform : what vectors pass first (PCA, Rotation, OPQ), or None; trained with the index where it can be
    refine : keep the vectors as "float32", "float16" or "uint8" for a second look, or None
    metric : "l2" (squared Euclidean distance), "ip" (inner product) or "cosine"

    Attributes
    ----------
    nprobe : cells to visit where a search does not say
    budget : multi-index: rows to meet where a search says neither; then it visits as many cells as that takes
    refine_factor : the second look re-scores this many times k

    Several threads may search while one adds or removes.
    """

    kind: ClassVar[str] = "index.Cells"

    def __init__(
        self,
        dim: int,
        coarse: Coarse,
        codec: Codec,
        *,
        transform: Any = None,
        refine: str | None = None,
        metric: str = "l2",
        nprobe: int = 16,
        budget: int = 10_000,
        refine_factor: float = 10.0,
    ) -> None:
        self.dim = as_count(dim, "dim", most=1 << 20)
        self.metric = as_choice(metric, "metric", METRICS)
        self.coarse, self.codec, self.transform = coarse, codec, transform
        self.refine = None if refine is None else as_choice(refine, "refine", REFINEMENTS)
        self.nprobe = as_count(nprobe, "nprobe")
        self.budget = as_count(budget, "budget")
        self.refine_factor = as_number(refine_factor, "refine_factor", least=1.0)
        self._fine: Fine | None = None
        self._trained = False
        self._lock = RLock()
        self._state: _State | None = None
        self._totals = {"queries": 0, "cells": 0, "rows": 0, "scored": 0}

    def __repr__(self) -> str:
        parts = [repr(p) for p in (self.transform, self.coarse, self.codec) if p is not None]
        refine = "" if self.refine is None else f", refine={self.refine!r}"
        return f"CellIndex({', '.join(parts)}{refine}, metric={self.metric!r}, n={len(self)})"

    def __len__(self) -> int:
        state = self._state
        return 0 if state is None else sum(segment.living for segment in state.segments)

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return self._trained

    @property
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""
        if self.refine is not None:
            return self.refine == "float32"
        return self.transform is None and getattr(self.codec, "dtype", None) == "float32"

    @property
    def ids(self) -> Ids:
        """The stored ids, by cell."""
        parts = [s.ids if s.alive is None else s.ids[s.alive != 0] for s in self._now.segments]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @property
    def _now(self) -> _State:
        if self._state is None:
            raise NotTrainedError("index: call train first")
        return self._state

    def train(self, x: Any) -> CellIndex:
        """Learn transform, cells and codebooks from vectors (n, d): a sample of what will be added.

        Raises ValueError for fewer vectors than centroids or codewords, and for an index that holds vectors.
        """
        vectors = self._prepared(x, "x")
        with self._lock:
            if len(self):
                raise ValueError("train: the index holds vectors; train a new one")
            if self.refine is not None:
                fine = Fine(self.refine)
                if self.refine == "uint8":
                    fine = Fine("uint8", *_core.scan.fit_bytes(vectors, "l2", False))
                self._fine = fine
            if self.transform is not None and hasattr(self.transform, "fit"):
                self.transform.fit(vectors)
            inner = self._transformed(vectors)
            self.coarse.fit(inner)
            self.codec.fit(inner, self.coarse.assign(inner), self.coarse)
            self._trained = True
            self._state = self._made((), 0)
        return self

    def add(self, x: Any, ids: Any = None, *, verbose: bool = True) -> Ids:
        """Add vectors (n, d) and return their ids, which number on where none are given.

        x : an array, memory-mapped or not, which is read in pieces; or an iterator of arrays
        ids : one for each vector; not with an iterator
        Raises ValueError for ids that are there already or occur twice.
        """
        self._now  # noqa: B018
        with self._lock:
            state = self._now
            if ids is not None:
                if _is_stream(x):
                    raise ValueError("ids: expected none with an iterator of arrays")
                ids = as_ids(ids, "ids", n=len(x))
                if len(np.unique(ids)) != len(ids):
                    raise ValueError("ids: expected each id once, got one twice")
                for segment in state.segments:
                    there = segment.find(ids) >= 0
                    if there.any():
                        raise ValueError(
                            f"ids: {ids[there][0]} is in the index already; use update"
                        )
            segments, next_id = list(state.segments), state.next_id
            batches: list[Batch] = []
            added: list[Ids] = []
            waiting = 0
            for piece, start in self._pieces(x, verbose):
                if ids is None:
                    if next_id + len(piece) > 1 << 63:
                        raise ValueError(
                            f"ids: none are left to number on from {next_id}; give ids"
                        )
                    own = np.arange(next_id, next_id + len(piece), dtype=np.int64)
                else:
                    own = ids[start : start + len(piece)]
                if len(own):
                    next_id = max(next_id, int(own.max()) + 1)
                added.append(own)
                batches.append(self._encoded(piece, own))
                waiting += len(piece)
                if waiting >= _SEGMENT:
                    segments.append(seal(Batch.joined(batches), self.codec))
                    batches, waiting = [], 0
            if waiting:
                segments.append(seal(Batch.joined(batches), self.codec))
            self._state = self._made(settled(segments, self.codec), next_id)
            return np.concatenate(added) if added else np.empty(0, np.int64)

    def adopt(self, cells: Ids, ids: Ids, codes: NDArray[np.uint8]) -> CellIndex:
        """Take over product codes (n, code_size) with their cells and ids; parts that were learnt elsewhere.

        What the search needs besides codebooks is learnt from the codes.
        """
        codec = self.codec
        if not isinstance(codec, ProductCodes) or self.refine is not None:
            raise ValueError("codes: expected an index of product codes without a second look")
        with self._lock:
            sample = slice(None, None, max(1, len(codes) // 20000))
            if len(codes):
                codec.prepare(codec.quantizer.decode(codes[sample]), self.coarse)
            else:
                books = codec.quantizer.codebooks
                words = books.transpose(1, 0, 2).reshape(books.shape[1], -1)
                codec.prepare(np.ascontiguousarray(words[:, : codec.dim]), self.coarse)
            batch = Batch(cells, ids, codec.rows_of(codes, cells, self.coarse), None)
            segments = (seal(batch, codec),) if len(ids) else ()
            self._trained = True
            self._state = self._made(segments, int(ids.max(initial=-1)) + 1)
        return self

    def remove(self, ids: Any) -> int:
        """Remove vectors by id and return how many were there; unknown ids are ignored."""
        wanted = np.unique(as_ids(ids, "ids"))
        with self._lock:
            state = self._now
            segments, removed = [], 0
            for segment in state.segments:
                rows = segment.find(wanted)
                rows = rows[rows >= 0]
                removed += len(rows)
                segments.append(segment.without(rows) if len(rows) else segment)
            if removed:
                self._state = self._made(settled(segments, self.codec), state.next_id)
            return removed

    def update(self, ids: Any, x: Any) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        # Of an id that is given twice the last vector counts.
        last = len(wanted) - 1 - np.unique(wanted[::-1], return_index=True)[1]
        with self._lock:
            self._located(wanted)
            state = self._now
            segments = []
            for segment in state.segments:
                rows = segment.find(wanted[last])
                rows = rows[rows >= 0]
                segments.append(segment.without(rows) if len(rows) else segment)
            if len(last):
                segments.append(seal(self._encoded(vectors[last], wanted[last]), self.codec))
            self._state = self._made(settled(segments, self.codec), state.next_id)

    def reconstruct(self, ids: Any) -> Vectors:
        """What is stored of the vectors with these ids, float32 (n, d): decoded and transformed back.

        With a second look, what that keeps.
        """
        wanted = as_ids(ids, "ids")
        out = np.empty((len(wanted), self.dim), np.float32)
        for segment, mine, rows in self._located(wanted):
            batch = segment.batch(self.codec, rows)
            if self._fine is not None:
                out[mine] = self._fine.decode(np.asarray(batch.fine))
                continue
            inner = self.codec.decode(batch.rows, batch.cells, self.coarse)
            out[mine] = inner if self.transform is None else self.transform.inverse_transform(inner)
        return out

    def search(
        self,
        queries: Any,
        k: int = 10,
        *,
        nprobe: int | None = None,
        budget: int | None = None,
        refine_factor: float | None = None,
        filter: Any = None,
        exhaust: bool = False,
        threads: int = 0,
    ) -> Neighbours:
        """The k nearest neighbours of each query among the rows of the cells that it visits.

        queries : (n, d), or one vector (d,), which is answered by (k,)
        nprobe : cells to visit
        budget : multi-index: stop after the cell with which this many rows have been met
        refine_factor : with a second look, re-score this many times k
        filter : ids that may answer, or a boolean mask over ``index.ids``
        exhaust : visit more cells where fewer than k rows were found, up to all
        threads : 0 for the library's setting
        Returns distances float32 (n, k) and ids int64 (n, k), nearest first; where there are fewer than k:
        +inf (similarities: -inf) and -1.
        """
        state = self._now
        k = as_count(k, "k", most=1 << 24)
        one = np.ndim(queries) == 1
        original = self._prepared(queries, "queries", empty=True, one=True)
        inner = self._transformed(original)
        factor = self.refine_factor if refine_factor is None else refine_factor
        factor = as_number(factor, "refine_factor", least=1.0, most=1e6)
        probes, rows = self._probes(nprobe, budget)
        threads = as_count(threads, "threads", least=0, most=1024)
        admitted = self._admitted(state, filter)
        shortlist = int(np.ceil(k * factor))
        distances, found, stats = state.scan.search(
            inner, original, k, shortlist, probes, rows, threads, admitted
        )
        self._count(len(original), stats)
        while exhaust and probes < self.coarse.n_cells:
            short = np.flatnonzero(found[:, -1] < 0)
            if not len(short):
                break
            probes, rows = min(self.coarse.n_cells, 4 * probes), 0
            distances[short], found[short], stats = state.scan.search(
                inner[short], original[short], k, shortlist, probes, rows, threads, admitted
            )
            self._count(0, stats)
        if self.metric != "l2":
            np.negative(distances, out=distances)
        return Neighbours(distances[0], found[0]) if one else Neighbours(distances, found)

    def tune(
        self, queries: Any, truth: Any = None, k: int = 10, *, recall: float = 0.9, **choices: Any
    ) -> Setting:
        """The fastest setting that reaches a recall: ``search(q, k, **setting.options)``. See `kinfold.index.tune`."""
        return tune(self, queries, truth, k, recall=recall, **choices)

    def range_search(
        self,
        queries: Any,
        radius: float,
        *,
        nprobe: int | None = None,
        budget: int | None = None,
        filter: Any = None,
        threads: int = 0,
    ) -> RangeResult:
        """All rows of the visited cells within a radius of each query, nearest first.

        radius : squared distance at most this ("l2"), or similarity at least this; by what the codes stand for,
            without the second look
        Returns starts int64 (n + 1,), distances float32 and ids int64 of all entries.
        """
        state = self._now
        bound = as_number(radius, "radius", least=0.0 if self.metric == "l2" else -np.inf)
        original = self._prepared(queries, "queries", empty=True, one=True)
        probes, rows = self._probes(nprobe, budget)
        (starts, distances, found), stats = state.scan.range_search(
            self._transformed(original), original, bound if self.metric == "l2" else -bound, probes, rows,
            as_count(threads, "threads", least=0, most=1024), self._admitted(state, filter),
        )  # fmt: skip
        self._count(len(original), stats)
        return RangeResult(starts, distances if self.metric == "l2" else -distances, found)

    def compact(self) -> CellIndex:
        """Bring all rows into one segment and drop what was removed; additions do so by and by."""
        with self._lock:
            state = self._now
            if len(state.segments) > 1 or any(s.alive is not None for s in state.segments):
                living = [s for s in state.segments if s.living]
                segments = (merged(living, self.codec),) if living else ()
                self._state = self._made(segments, state.next_id)
        return self

    def merge(self, other: CellIndex) -> CellIndex:
        """Take over the rows of an index that was trained alike; ValueError where it was not, or for common ids."""
        if other is self or not isinstance(other, CellIndex):
            raise ValueError("other: expected another CellIndex")
        mine, theirs = self._learnt(), other._learnt()
        same = mine.keys() == theirs.keys() and all(
            np.array_equal(mine[name], theirs[name]) for name in mine
        )
        if not same or self._choices() != other._choices():
            raise ValueError("other: expected an index with the same parts, trained alike")
        with self._lock:
            state, more = self._now, other._now
            for segment in state.segments:
                common = segment.find(other.ids) >= 0
                if common.any():
                    raise ValueError(f"other: id {other.ids[common][0]} is in both indexes")
            segments = sorted([*state.segments, *more.segments], key=lambda s: -s.living)
            next_id = max(state.next_id, more.next_id)
            self._state = self._made(settled(segments, self.codec), next_id)
        return self

    def stats(self) -> dict[str, JSON]:
        """Sizes, how even the lists are, and what searches have cost so far.

        imbalance : n_cells * sum(n_i^2) / n^2: 1 where all lists are equally long
        per_query : cells visited, rows scanned and rows scored by a float32 distance, on average
        """
        state = self._now
        n = len(self)
        parts = [segment.sizes() for segment in state.segments]
        cells = np.concatenate([cells for cells, _ in parts]) if parts else np.empty(0, np.int64)
        counts = np.concatenate([counts for _, counts in parts]) if parts else np.empty(0)
        occupied, place = np.unique(cells, return_inverse=True)
        lengths = np.bincount(place, weights=counts) if len(cells) else np.empty(0)
        fine = 0 if self._fine is None else np.dtype(self._fine.dtype).itemsize * self.dim
        queries = max(1, self._totals["queries"])
        return {
            "n": n,
            "bytes_per_vector": self.codec.bytes_per_vector + fine + 8,
            "cells": self.coarse.n_cells,
            "occupied_cells": len(occupied),
            "imbalance": float(self.coarse.n_cells * (lengths**2).sum() / max(n, 1) ** 2),
            "segments": len(state.segments),
            "queries": self._totals["queries"],
            "per_query": {
                name: self._totals[name] / queries for name in ("cells", "rows", "scored")
            },
        }

    def save(self, path: str | Path) -> None:
        """Write to a `.kin` file; `kinfold.load` reads it."""
        from kinfold.io import kin

        kin.save(self, path)

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            **self._choices(),
            "nprobe": self.nprobe, "budget": self.budget, "refine_factor": self.refine_factor,
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """What was learnt, and the rows in one segment."""
        state = self._now
        living = [segment for segment in state.segments if segment.living]
        whole = len(living) == 1 and living[0].alive is None
        rows = to_arrays(living[0] if whole else merged(living, self.codec)) if living else {}
        next_id = np.array([state.next_id], np.uint64)
        return {**self._learnt(), **add_prefix("rows", rows), "next_id": next_id}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> CellIndex:
        """An index over the arrays as they are, memory-mapped or not."""
        names = {
            "dim", "metric", "coarse", "codec", "transform", "refine", "nprobe", "budget", "refine_factor",
        }  # fmt: skip
        check_only(params, names, "parameters")
        parts = {name: part_from(params, arrays, name) for name in KINDS}
        index = cls(
            take_param(params, "dim", int),
            parts["coarse"],
            parts["codec"],
            transform=parts["transform"],
            refine=take_param(params, "refine", (str, type(None))),
            metric=take_param(params, "metric", str),
            nprobe=take_param(params, "nprobe", int),
            budget=take_param(params, "budget", int),
            refine_factor=take_param(params, "refine_factor", (int, float)),
        )
        known = ("coarse.", "codec.", "transform.", "rows.", "refine.")
        check_only(
            {name: 0 for name in arrays if not name.startswith(known)}, {"next_id"}, "arrays"
        )
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        if next_id > 1 << 63:
            raise FileFormatError(f"array 'next_id': got {next_id}")
        index._fine = index._fine_from(strip_prefix("refine", arrays))
        rows = strip_prefix("rows", arrays)
        fine = None if index._fine is None else (index._fine.dtype, index.dim)
        segments: tuple[Segment, ...] = ()
        if rows:
            segment = from_arrays(rows, index.codec, index.coarse.n_cells, fine)
            if len(segment) and (segment.ids.min() < 0 or segment.ids.max() >= next_id):
                raise FileFormatError("array 'rows.ids': expected ids from 0 below next_id")
            segments = (segment,)
        index._trained = True
        index._state = index._made(segments, next_id)
        return index

    # --- inside ------------------------------------------------------------------------------------

    def _prepared(self, x: Any, name: str, *, empty: bool = False, one: bool = False) -> Vectors:
        vectors = as_vectors(x, name, dim=self.dim, empty=empty, one=one)
        return unit_rows(vectors) if self.metric == "cosine" else vectors

    def _transformed(self, x: Vectors) -> Vectors:
        if self.transform is None:
            return x
        return np.ascontiguousarray(self.transform.transform(x), dtype=np.float32)

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        inner = self._transformed(x)
        cells = self.coarse.assign(inner)
        fine = None if self._fine is None else self._fine.encode(x)
        if fine is not None and not np.isfinite(fine).all():
            raise ValueError("x: expected numbers up to 65504 for a float16 refinement")
        return Batch(cells, ids, self.codec.encode(inner, cells, self.coarse), fine)

    def _pieces(self, x: Any, verbose: bool) -> Iterator[tuple[Vectors, int]]:
        start = 0
        for array in x if _is_stream(x) else [x]:
            whole = array if isinstance(array, np.ndarray) else as_vectors(array, "x", empty=True)
            if whole.ndim != 2 or len(whole) == 0:
                self._prepared(whole, "x", empty=True)
                continue
            spans: Iterable[int] = range(0, len(whole), _CHUNK)
            if len(whole) > _CHUNK:
                spans = progress(spans, "add", verbose=verbose)
            for at in spans:
                piece = self._prepared(whole[at : at + _CHUNK], "x")
                yield piece, start
                start += len(piece)

    def _made(self, segments: tuple[Segment, ...], next_id: int) -> _State:
        metric = "l2" if self.metric == "l2" else "ip"
        engine = self._coarse_engine(metric)
        inner = getattr(self.codec, "dim", self.dim)
        compiled = [s.engine(self.codec, self.coarse.n_cells, self._fine) for s in segments]
        scan = _core.scan.CellScan(
            metric, inner, codec=self.codec.engine(), segments=compiled, **engine
        )
        return _State(segments, next_id, scan)

    def _coarse_engine(self, metric: str) -> dict[str, Any]:
        if not hasattr(self, "_engine"):
            self._engine = self.coarse.engine(metric)
        return self._engine

    def _probes(self, nprobe: int | None, budget: int | None) -> tuple[int, int]:
        """Cells to visit at most, and rows after which to stop (0: no limit)."""
        cells = self.coarse.n_cells
        rows = 0 if budget is None else as_count(budget, "budget")
        if nprobe is not None:
            return min(cells, as_count(nprobe, "nprobe")), rows
        if not self.coarse.counts_rows:
            return min(cells, self.nprobe), rows
        rows = rows or self.budget
        # Most cells are empty: enough of them for the rows, whatever their spread.
        return min(cells, max(1024, 16 * rows)), rows

    def _admitted(self, state: _State, filter: Any) -> list[NDArray[np.uint8]] | None:
        if filter is None:
            return None
        mask = filter_rows(filter, self.ids)
        out, at = [], 0
        for segment in state.segments:
            own = np.zeros(len(segment), np.uint8)
            rows = segment.living_rows()
            own[rows] = mask[at : at + len(rows)]
            at += len(rows)
            out.append(own)
        return out

    def _located(self, ids: Ids) -> list[tuple[Segment, NDArray[np.intp], NDArray[np.intp]]]:
        """Segments with positions in ``ids`` and rows; ValueError for an id that is not there."""
        found, missing = [], np.ones(len(ids), bool)
        for segment in self._now.segments:
            rows = segment.find(ids)
            mine = np.flatnonzero(rows >= 0)
            missing[mine] = False
            found.append((segment, mine, rows[mine]))
        if missing.any():
            raise ValueError(f"ids: {ids[missing][0]} is not in the index")
        return found

    def _count(self, queries: int, stats: Mapping[str, int]) -> None:
        with self._lock:
            self._totals["queries"] += queries
            for name, value in stats.items():
                self._totals[name] += value

    def _choices(self) -> dict[str, JSON]:
        return {
            "dim": self.dim, "metric": self.metric, "coarse": described(self.coarse),
            "codec": described(self.codec), "transform": described(self.transform), "refine": self.refine,
        }  # fmt: skip

    def _learnt(self) -> Arrays:
        self._now  # noqa: B018
        arrays = {
            **add_prefix("coarse", self.coarse.arrays()),
            **add_prefix("codec", self.codec.arrays()),
        }
        if self.transform is not None:
            arrays |= add_prefix("transform", self.transform.arrays())
        if self._fine is not None and self._fine.centre is not None:
            arrays["refine.centre"] = self._fine.centre
            arrays["refine.scale"] = np.array([self._fine.scale], np.float32)
        return arrays

    def _fine_from(self, arrays: Mapping[str, NDArray[Any]]) -> Fine | None:
        check_only(arrays, {"centre", "scale"} if self.refine == "uint8" else set(), "arrays")
        if self.refine is None:
            return None
        if self.refine != "uint8":
            return Fine(self.refine)
        centre = take(arrays, "centre", np.float32, (self.dim,))
        scale = float(take(arrays, "scale", np.float32, (1,))[0])
        if not (np.isfinite(centre).all() and np.isfinite(scale) and scale > 0):
            raise FileFormatError("array 'refine.centre': expected finite numbers, a scale above 0")
        return Fine("uint8", np.ascontiguousarray(centre), scale)


def _is_stream(x: Any) -> bool:
    """An iterator of arrays, not an array."""
    return isinstance(x, Iterator)
