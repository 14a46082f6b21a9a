"""What every index of sealed segments shares: growth, removal, snapshots, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_ids, as_ndarray, read_only
from kinfold.base.errors import FileFormatError
from kinfold.base.locks import Lock
from kinfold.base.metrics import inner_metric
from kinfold.base.progress import progress
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix
from kinfold.index.base import Index
from kinfold.index.codecs.scale import warn_of_beyond
from kinfold.index.rows import Batch, RowPacking, RowSegment, Sealing, from_arrays, seal, to_arrays
from kinfold.store.keyed import Keys, Marks, as_new_ids, last_of, next_id_from
from kinfold.store.segments import settled

if TYPE_CHECKING:
    from typing_extensions import Self

# Vectors that are encoded at once, and rows that are gathered before a segment is made of them.
_CHUNK = 65536
_SEGMENT = 1 << 22


@dataclass(frozen=True)
class Searched(Keys[RowSegment]):
    """Segments, and the compiled search over them."""

    scan: Any = None


class SegmentedIndex(Index[Searched]):
    """Vectors as rows in sealed segments, each sorted by cell.

    What an index of this kind adds: how vectors become rows (`_encoded`, `_packing`, `_decoded`), what is
    learnt (`_learn`, and its declaration), and the search (`_compiled`, `_ask`, `_within`).
    """

    # What of a search is counted: names in the statistics of the compiled search.
    _counters: ClassVar[tuple[str, ...]] = ("rows", "scored")
    # Cells that rows may be in.
    _n_cells: int = 1
    # Whether a shortlist that rows of equal codes fill is made wider.
    _widens: ClassVar[bool] = False
    # Whether searches may stop by the rows that cells have.
    _counts_rows: bool = False
    _fine: Any = None

    def __init__(self, dim: int, metric: str) -> None:
        super().__init__(dim, metric)
        self._counting = Lock()
        self._totals = dict.fromkeys(("queries", *self._counters), 0)

    # --- what each index says ------------------------------------------------------------------------

    @property
    @abstractmethod
    def _packing(self) -> RowPacking:
        """How rows are packed."""

    @abstractmethod
    def _learn(self, x: Vectors) -> None:
        """Learn what must be known before rows are encoded."""

    @abstractmethod
    def _decoded(self, batch: Batch) -> Vectors:
        """The vectors that rows stand for."""

    @abstractmethod
    def _compiled(self, segments: tuple[RowSegment, ...]) -> Any:
        """The search over segments."""

    # --- rows ------------------------------------------------------------------------------------------

    @property
    def ids(self) -> Ids:
        """The stored ids, int64 (n,), ascending; a mask given as ``filter`` follows them. Read-only."""
        return read_only(np.sort(self._require_fitted().ids))

    def fit(self, x: ArrayLike) -> Self:
        """Learn what the index needs from vectors (n, d): a sample of what will be added.

        Raises ValueError for fewer vectors than centroids or codewords, and for an index that holds vectors.
        """
        vectors = self._prepared(x, "x")
        with self._lock:
            if len(self):
                raise ValueError("train: the index holds vectors; train a new one")
            self._learn(vectors)
            self._training = object()
            self._hold((), 0)
        return self

    def add(
        self,
        x: ArrayLike | Iterator[Any],
        ids: ArrayLike | None = None,
        *,
        verbose: bool = True,
    ) -> Ids:
        """Add vectors (n, d) and return their ids, which number on where none are given.

        x : an array, memory-mapped or not, which is read in pieces; or an iterator of arrays
        ids : one for each vector; not with an iterator
        Raises ValueError for ids that are there already or occur twice.
        """
        before, training = self._require_fitted(), self._training
        if ids is not None and isinstance(x, Iterator):
            raise ValueError("ids: expected none with an iterator of arrays")
        x = arrays_of(x)
        given = None if ids is None else as_new_ids(ids, len(x))  # type: ignore[arg-type]
        if given is not None:
            before.refuse_known(given)
        # Without the lock: where x is an iterator it may wait for whatever others do with the index.
        made: list[RowSegment] = []
        batches: list[Batch] = []
        waiting = n = beyond = 0
        for piece in self._pieces(x, verbose):
            # Numbered from 0 until it is known where the numbers go on.
            numbers = np.arange(n, n + len(piece)) if given is None else given[n : n + len(piece)]
            n += len(piece)
            batches.append(self._encoded(piece, numbers))
            beyond += batches[-1].beyond
            waiting += len(piece)
            if waiting >= _SEGMENT:
                made.append(seal(Batch.joined(batches), self._packing))
                batches, waiting = [], 0
        if waiting:
            made.append(seal(Batch.joined(batches), self._packing))
        with self._lock:
            held = self._trained_still(training, "x")
            new = given if given is not None and held is before else held.issued(given, n)
            if given is None:
                made = [replace(segment, ids=segment.ids + held.next_id) for segment in made]
            if n:
                self._hold((*held.parts, *made), held.after(new))
        warn_of_beyond(beyond, n)
        return new

    def update(self, ids: ArrayLike, x: ArrayLike) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        last = last_of(wanted)
        wanted, vectors = wanted[last], vectors[last]
        self._require_fitted().located(wanted)
        if not len(wanted):
            return
        training = self._training
        batch = self._encoded(vectors, wanted)
        fresh = seal(batch, self._packing)
        with self._lock:
            held = self._trained_still(training, "x")
            held.located(wanted)
            parts, _ = held.without(wanted)
            self._hold((*parts, fresh), held.next_id)
        warn_of_beyond(batch.beyond, len(batch))

    def _batch(self, part: RowSegment, rows: NDArray[np.intp]) -> Batch:
        return part.batch(self._packing, rows)

    def _take_in(self, batch: Batch) -> None:
        with self._lock:
            held = self._require_fitted()
            parts, _ = held.without(batch.ids)
            self._hold((*parts, seal(batch, self._packing)), held.after(batch.ids))

    def compact(self) -> Self:
        """Bring all rows into one segment and drop what was removed; additions do so by and by."""
        with self._lock:
            held = self._require_fitted()
            if len(held.parts) > 1 or any(s.alive is not None for s in held.parts):
                living = [s for s in held.parts if s.living]
                self._hold((self._merged(living),) if living else (), held.next_id)
        return self

    def merge(self, other: Self) -> Self:
        """Take over the rows of an index that was trained alike; ValueError where it was not, or for common ids."""
        if other is self or type(other) is not type(self):
            raise ValueError(f"other: expected another {type(self).__name__}")
        with self._lock:
            mine, theirs = self._learnt(), other._learnt()
            same = mine.keys() == theirs.keys() and all(
                np.array_equal(mine[name], theirs[name]) for name in mine
            )
            if not same or self._meaning() != other._meaning():
                raise ValueError("other: expected an index with the same parts, trained alike")
            held, more = self._require_fitted(), other._require_fitted()
            for segment in held.parts:
                common = segment.find(more.ids) >= 0
                if common.any():
                    raise ValueError(f"other: id {more.ids[common][0]} is in both indexes")
            segments = sorted([*held.parts, *more.parts], key=lambda s: -s.living)
            self._hold(tuple(segments), max(held.next_id, more.next_id))
        return self

    def _undeclared(self) -> Arrays:
        """The rows, in one segment."""
        held = self._require_fitted()
        living = [segment for segment in held.parts if segment.living]
        whole = len(living) == 1 and living[0].alive is None
        rows = to_arrays(living[0] if whole else self._merged(living)) if living else {}
        next_id = np.array([held.next_id], np.uint64)
        return {**add_prefix("rows", rows), "next_id": next_id}

    def _meaning(self) -> dict[str, JSON]:
        """What was chosen and decides what rows mean: all but how searches go that do not say."""
        return {name: value for name, value in self.params().items() if name not in self.options}

    # --- the two looks, apart, where rows are divided --------------------------------------------------

    def _first_look(self, held: Searched) -> Any:
        """The search over the rows without the second look: a shortlist, by what the codes stand for."""
        return self._compiled(tuple(replace(segment, fine=None) for segment in held.parts))

    def _second_look(
        self, held: Searched, queries: Vectors, starts: Ids, ids: Ids, threads: int
    ) -> Vectors:
        """The finer distance of query q to each of ids[starts[q] : starts[q + 1]], float32, one after the other."""
        metric, (centre, steps) = inner_metric(self.metric), self._fine.parts()
        out = np.empty(len(ids), np.float32)
        for part, mine, rows in held.located(ids):
            own = np.searchsorted(mine, starts)
            out[mine] = _core.scan.second_look(
                metric, queries, part.fine, centre, steps, own, rows, threads
            )
        return out

    # --- inside ----------------------------------------------------------------------------------------

    def _hold(self, parts: tuple[RowSegment, ...], next_id: int) -> None:
        segments = settled(parts, Sealing(self._packing))
        self._held = Searched(segments, next_id, self._compiled(segments))

    def _merged(self, segments: list[RowSegment]) -> RowSegment:
        return Sealing(self._packing).merged(segments)

    def _stored(self, part: RowSegment, rows: NDArray[np.intp]) -> Vectors:
        batch = part.batch(self._packing, rows)
        return self._decoded(batch) if self._fine is None else self._fine.decode(np.asarray(batch.fine))  # fmt: skip

    def _admitted(self, held: Searched, filter: Any) -> list[Marks | None] | None:
        return None if filter is None else held.admitted(filter, ascending=True)

    def _pieces(self, x: Any, verbose: bool) -> Iterator[Vectors]:
        for array in x if isinstance(x, Iterator) else [x]:
            whole = as_ndarray(array, "x")
            if whole.ndim != 2 or len(whole) == 0:
                self._prepared(whole, "x", empty=True)
                continue
            spans: Iterable[int] = range(0, len(whole), _CHUNK)
            if len(whole) > _CHUNK:
                spans = progress(spans, "add", verbose=verbose)
            for at in spans:
                yield self._prepared(whole[at : at + _CHUNK], "x")

    def _count(self, queries: int, stats: Mapping[str, int]) -> None:
        # Not the writers' lock: no search waits for them.
        with self._counting:
            self._totals["queries"] += queries
            for name, value in stats.items():
                self._totals[name] += value

    def _per_query(self) -> dict[str, float]:
        queries = max(1, self._totals["queries"])
        return {name: self._totals[name] / queries for name in self._counters}

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        check_only({n: 0 for n in arrays if not n.startswith("rows.")}, {"next_id"}, "arrays")
        next_id = next_id_from(arrays)
        rows = strip_prefix("rows", arrays)
        fine = None if self._fine is None else (self._fine.dtype, self.dim)
        segments: tuple[RowSegment, ...] = ()
        if rows:
            segment = from_arrays(rows, self._packing, self._n_cells, fine)
            if len(segment) and (segment.ids.min() < 0 or segment.ids.max() >= next_id):
                raise FileFormatError("array 'rows.ids': expected ids from 0 below next_id")
            segments = (segment,)
        self._hold(segments, next_id)


def arrays_of(x: Any) -> Any:
    """What rows are added from: an iterator of arrays as it is, or an array, whoever's it was."""
    return x if isinstance(x, Iterator) else np.atleast_1d(as_ndarray(x, "x"))
