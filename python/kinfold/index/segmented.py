"""What every index of sealed segments shares: ids, growth, removal, snapshots, files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count, as_ids, as_vectors
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.locks import Lock
from kinfold.base.metrics import as_metric
from kinfold.base.progress import progress
from kinfold.base.ranking import Neighbours
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    steady,
    strip_prefix,
    take,
)
from kinfold.index.base import filter_rows, unit_rows
from kinfold.index.codecs.scale import warn_of_beyond
from kinfold.index.store import (
    Batch,
    Fine,
    Packing,
    Segment,
    from_arrays,
    merged,
    seal,
    settled,
    to_arrays,
)
from kinfold.index.tune import Setting, tune

# Vectors that are encoded at once, and rows that are gathered before a segment is made of them.
_CHUNK = 65536
_SEGMENT = 1 << 22

Self = TypeVar("Self", bound="SegmentedIndex")


class State(NamedTuple):
    """One consistent state, replaced as a whole."""

    segments: tuple[Segment, ...]
    next_id: int
    scan: Any  # the compiled search over these segments

    @property
    def ids(self) -> Ids:
        """The ids of the living rows, in the order of the segments."""
        parts = [s.ids if s.alive is None else s.ids[s.alive != 0] for s in self.segments]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


class SegmentedIndex(Restorable, ABC):
    """Rows in sealed segments under a lock for writers; readers take the state that they find.

    What an index of this kind adds: how vectors become rows (`_encoded`, `_packing`, `_decoded`), what is
    learnt (`_learn`, `_learnt`), and the search (`_compiled`).
    """

    kind: ClassVar[str]
    # What of a search is counted: names in the statistics of the compiled search.
    _counters: ClassVar[tuple[str, ...]] = ("rows", "scored")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("search", "range_search"):
            if name in vars(cls):
                setattr(cls, name, steady(vars(cls)[name]))

    def __init__(self, dim: int, metric: str) -> None:
        self.dim = as_count(dim, "dim", most=1 << 20)
        self.metric = as_metric(metric)
        self._fine: Fine | None = None
        self._lock = Lock()
        self._state: State | None = None
        self._training: object = None  # another after each
        self._counting = Lock()
        self._totals = dict.fromkeys(("queries", *self._counters), 0)

    # --- what each index says ------------------------------------------------------------------------

    @property
    @abstractmethod
    def _packing(self) -> Packing:
        """How rows are packed."""

    @property
    @abstractmethod
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""

    @abstractmethod
    def _learn(self, x: Vectors) -> None:
        """Learn what must be known before rows are encoded."""

    @abstractmethod
    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        """Rows of prepared vectors."""

    @abstractmethod
    def _decoded(self, batch: Batch) -> Vectors:
        """The vectors that rows stand for."""

    @abstractmethod
    def _compiled(self, segments: tuple[Segment, ...]) -> Any:
        """The search over segments."""

    @abstractmethod
    def params(self) -> dict[str, JSON]:
        """What was chosen."""

    @classmethod
    @abstractmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """An index over the arrays as they are, memory-mapped or not."""

    @abstractmethod
    def _choices(self) -> dict[str, JSON]:
        """What was chosen and decides what rows mean."""

    @abstractmethod
    def _learnt(self) -> Arrays:
        """What was learnt."""

    # --- rows ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        state = self._state
        return 0 if state is None else sum(segment.living for segment in state.segments)

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return self._state is not None

    @property
    def ids(self) -> Ids:
        """The stored ids, in the order of the rows."""
        return self._now.ids

    @property
    def _now(self) -> State:
        if self._state is None:
            raise NotTrainedError("index: call train first")
        return self._state

    def train(self: Self, x: Any) -> Self:
        """Learn what the index needs from vectors (n, d): a sample of what will be added.

        Raises ValueError for fewer vectors than centroids or codewords, and for an index that holds vectors.
        """
        vectors = self._prepared(x, "x")
        with self._lock:
            if len(self):
                raise ValueError("train: the index holds vectors; train a new one")
            self._learn(vectors)
            self._training = object()
            self._state = self._made((), 0)
        return self

    def add(self, x: Any, ids: Any = None, *, verbose: bool = True) -> Ids:
        """Add vectors (n, d) and return their ids, which number on where none are given.

        x : an array, memory-mapped or not, which is read in pieces; or an iterator of arrays
        ids : one for each vector; not with an iterator
        Raises ValueError for ids that are there already or occur twice.
        """
        before, training = self._now, self._training
        if ids is not None:
            if _is_stream(x):
                raise ValueError("ids: expected none with an iterator of arrays")
            ids = as_ids(ids, "ids", n=len(x))
            if len(np.unique(ids)) != len(ids):
                raise ValueError("ids: expected each id once, got one twice")
            _refuse_known(ids, before.segments)
        # Without the lock: where x is an iterator it may wait for whatever others do with the index.
        made: list[Segment] = []
        batches: list[Batch] = []
        waiting = n = beyond = 0
        for piece in self._pieces(x, verbose):
            # Numbered from 0 until it is known where the numbers go on.
            own = np.arange(n, n + len(piece)) if ids is None else ids[n : n + len(piece)]
            n += len(piece)
            batches.append(self._encoded(piece, own))
            beyond += batches[-1].beyond
            waiting += len(piece)
            if waiting >= _SEGMENT:
                made.append(seal(Batch.joined(batches), self._packing))
                batches, waiting = [], 0
        if waiting:
            made.append(seal(Batch.joined(batches), self._packing))
        with self._lock:
            state = self._trained_still(training)
            if ids is None:
                first = state.next_id
                if first + n > 1 << 63:
                    raise ValueError(f"ids: none are left to number on from {first}; give ids")
                ids = np.arange(first, first + n)
                made = [replace(segment, ids=segment.ids + first) for segment in made]
            elif state is not before:
                _refuse_known(ids, state.segments)
            if n:
                next_id = max(state.next_id, int(ids.max()) + 1)
                self._state = self._made(settled([*state.segments, *made], self._packing), next_id)
        warn_of_beyond(beyond, n)
        return ids

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
                self._state = self._made(settled(segments, self._packing), state.next_id)
            return removed

    def update(self, ids: Any, x: Any) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        # Of an id that is given twice the last vector counts.
        last = len(wanted) - 1 - np.unique(wanted[::-1], return_index=True)[1]
        wanted, vectors = wanted[last], vectors[last]
        _located(wanted, self._now.segments)
        if not len(wanted):
            return
        training = self._training
        batch = self._encoded(vectors, wanted)
        fresh = seal(batch, self._packing)
        with self._lock:
            state = self._trained_still(training)
            segments = []
            for segment, _, rows in _located(wanted, state.segments):
                segments.append(segment.without(rows) if len(rows) else segment)
            self._state = self._made(settled([*segments, fresh], self._packing), state.next_id)
        warn_of_beyond(batch.beyond, len(batch))

    @steady
    def reconstruct(self, ids: Any) -> Vectors:
        """What is stored of the vectors with these ids, float32 (n, d): decoded and transformed back.

        With a second look, what that keeps.
        """
        wanted = as_ids(ids, "ids")
        out = np.empty((len(wanted), self.dim), np.float32)
        for segment, mine, rows in _located(wanted, self._now.segments):
            batch = segment.batch(self._packing, rows)
            if self._fine is not None:
                out[mine] = self._fine.decode(np.asarray(batch.fine))
            else:
                out[mine] = self._decoded(batch)
        return out

    def tune(
        self, queries: Any, truth: Any = None, k: int = 10, *, recall: float = 0.9, **choices: Any
    ) -> Setting:
        """The fastest setting that reaches a recall: ``search(q, k, **setting.options)``. See `kinfold.index.tune`."""
        return tune(self, queries, truth, k, recall=recall, **choices)

    def compact(self: Self) -> Self:
        """Bring all rows into one segment and drop what was removed; additions do so by and by."""
        with self._lock:
            state = self._now
            if len(state.segments) > 1 or any(s.alive is not None for s in state.segments):
                living = [s for s in state.segments if s.living]
                segments = (merged(living, self._packing),) if living else ()
                self._state = self._made(segments, state.next_id)
        return self

    def merge(self: Self, other: Any) -> Self:
        """Take over the rows of an index that was trained alike; ValueError where it was not, or for common ids."""
        if other is self or type(other) is not type(self):
            raise ValueError(f"other: expected another {type(self).__name__}")
        with self._lock:
            mine, theirs = self._learnt(), other._learnt()
            same = mine.keys() == theirs.keys() and all(
                np.array_equal(mine[name], theirs[name]) for name in mine
            )
            if not same or self._choices() != other._choices():
                raise ValueError("other: expected an index with the same parts, trained alike")
            state, more = self._now, other._now
            for segment in state.segments:
                common = segment.find(more.ids) >= 0
                if common.any():
                    raise ValueError(f"other: id {more.ids[common][0]} is in both indexes")
            segments = sorted([*state.segments, *more.segments], key=lambda s: -s.living)
            next_id = max(state.next_id, more.next_id)
            self._state = self._made(settled(segments, self._packing), next_id)
        return self

    def save(self, path: str | Path) -> None:
        """Write to a `.kin` file; `kinfold.load` reads it."""
        from kinfold.io import kin

        kin.save(self, path)

    @steady
    def arrays(self) -> Arrays:
        """What was learnt, and the rows in one segment."""
        state = self._now
        living = [segment for segment in state.segments if segment.living]
        whole = len(living) == 1 and living[0].alive is None
        rows = to_arrays(living[0] if whole else merged(living, self._packing)) if living else {}
        next_id = np.array([state.next_id], np.uint64)
        return {**self._learnt(), **add_prefix("rows", rows), "next_id": next_id}

    # --- inside ----------------------------------------------------------------------------------------

    def _prepared(self, x: Any, name: str, *, empty: bool = False, one: bool = False) -> Vectors:
        cosine = self.metric == "cosine"  # lengths are divided out, whatever they are
        vectors = as_vectors(x, name, dim=self.dim, empty=empty, one=one, long=cosine)
        return unit_rows(vectors) if cosine else vectors

    def _pieces(self, x: Any, verbose: bool) -> Iterator[Vectors]:
        for array in x if _is_stream(x) else [x]:
            whole = array if isinstance(array, np.ndarray) else as_vectors(array, "x", empty=True)
            if whole.ndim != 2 or len(whole) == 0:
                self._prepared(whole, "x", empty=True)
                continue
            spans: Iterable[int] = range(0, len(whole), _CHUNK)
            if len(whole) > _CHUNK:
                spans = progress(spans, "add", verbose=verbose)
            for at in spans:
                yield self._prepared(whole[at : at + _CHUNK], "x")

    def _trained_still(self, training: object) -> State:
        """The present state; ValueError where the index was trained after rows had been made for it."""
        if self._training is not training:
            raise ValueError(
                "x: the index was trained anew while these were encoded; add them again"
            )
        return self._now

    def _count(self, queries: int, stats: Mapping[str, int]) -> None:
        # Not the writers' lock: no search waits for them.
        with self._counting:
            self._totals["queries"] += queries
            for name, value in stats.items():
                self._totals[name] += value

    def _admitted(self, state: State, filter: Any) -> list[NDArray[np.uint8]] | None:
        if filter is None:
            return None
        mask = filter_rows(filter, state.ids)
        out, at = [], 0
        for segment in state.segments:
            own = np.zeros(len(segment), np.uint8)
            rows = segment.living_rows()
            own[rows] = mask[at : at + len(rows)]
            at += len(rows)
            out.append(own)
        return out

    def _made(self, segments: tuple[Segment, ...], next_id: int) -> State:
        return State(segments, next_id, self._compiled(segments))

    def _signed(self, distances: Vectors, ids: Ids, one: bool) -> Neighbours:
        """The answer: similarities turned back, one row for one query."""
        if self.metric != "l2":
            np.negative(distances, out=distances)
        return Neighbours(distances[0], ids[0]) if one else Neighbours(distances, ids)

    def _per_query(self) -> dict[str, float]:
        queries = max(1, self._totals["queries"])
        return {name: self._totals[name] / queries for name in self._counters}

    def _adopt_rows(
        self, arrays: Mapping[str, NDArray[Any]], learnt: tuple[str, ...], n_cells: int
    ) -> None:
        """Take over saved rows; what is not theirs begins with one of the names in ``learnt``."""
        known = (*(f"{name}." for name in learnt), "rows.")
        check_only(
            {name: 0 for name in arrays if not name.startswith(known)}, {"next_id"}, "arrays"
        )
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        if next_id > 1 << 63:
            raise FileFormatError(f"array 'next_id': got {next_id}")
        rows = strip_prefix("rows", arrays)
        fine = None if self._fine is None else (self._fine.dtype, self.dim)
        segments: tuple[Segment, ...] = ()
        if rows:
            segment = from_arrays(rows, self._packing, n_cells, fine)
            if len(segment) and (segment.ids.min() < 0 or segment.ids.max() >= next_id):
                raise FileFormatError("array 'rows.ids': expected ids from 0 below next_id")
            segments = (segment,)
        self._state = self._made(segments, next_id)


def _refuse_known(ids: Ids, segments: tuple[Segment, ...]) -> None:
    """ValueError for an id that is stored."""
    for segment in segments:
        there = segment.find(ids) >= 0
        if there.any():
            raise ValueError(f"ids: {ids[there][0]} is in the index already; use update")


def _located(
    ids: Ids, segments: tuple[Segment, ...]
) -> list[tuple[Segment, NDArray[np.intp], NDArray[np.intp]]]:
    """Segments with positions in ``ids`` and rows; ValueError for an id that is not there."""
    found, missing = [], np.ones(len(ids), bool)
    for segment in segments:
        rows = segment.find(ids)
        mine = np.flatnonzero(rows >= 0)
        missing[mine] = False
        found.append((segment, mine, rows[mine]))
    if missing.any():
        raise ValueError(f"ids: {ids[missing][0]} is not in the index")
    return found


def _is_stream(x: Any) -> bool:
    """An iterator of arrays, not an array."""
    return isinstance(x, Iterator)
