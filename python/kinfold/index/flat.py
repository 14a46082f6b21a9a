"""Exact search: the reference that every other index is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_choice, as_ids, as_vectors
from kinfold.base.metrics import inner_metric
from kinfold.base.parameters import Flag
from kinfold.base.state import JSON, Arrays, check_only, take
from kinfold.index.base import Asked, Index, Option
from kinfold.index.rows import Batch
from kinfold.store.buffer import Buffer
from kinfold.store.keyed import (
    Keyed,
    Keys,
    Marks,
    as_new_ids,
    check_ids,
    last_of,
    next_id_from,
)

if TYPE_CHECKING:
    from typing_extensions import Self

# What a scan looks at, from the cheapest to the canonical distance.
_RUNGS = ("along directions", "bytes", "floats", "distances")
FILTERS = ("auto", "head", "u8", "f32", "none")


@dataclass(frozen=True)
class Block(Keyed):
    """All rows of an index.

    vectors : float32 (n, d), a view of a buffer that may have room for more
    scan : the compiled search over at least these rows
    """

    vectors: Vectors
    scan: Any


@dataclass(frozen=True)
class _Scan:
    """The search over a block, asked as those over segments are."""

    block: Block

    def search(
        self, queries: Vectors, k: int, by: str, threads: int, admitted: list[Marks | None] | None
    ) -> tuple[Vectors, Ids, dict[str, int]]:
        found = self.block.scan.search(
            self.block.vectors, queries, k, *self._who(admitted), by, threads
        )
        return *found, {}

    def range_search(
        self,
        queries: Vectors,
        radius: float,
        by: str,
        threads: int,
        admitted: list[Marks | None] | None,
    ) -> tuple[tuple[Ids, Vectors, Ids], dict[str, int]]:
        found = self.block.scan.range_search(
            self.block.vectors, queries, radius, *self._who(admitted), by, threads
        )
        return found, {}

    def _who(self, admitted: list[Marks | None] | None) -> tuple[Ids, Marks | None]:
        """Ids, and who may answer."""
        return self.block.ids, self.block.alive if admitted is None else admitted[0]


@dataclass(frozen=True)
class Held(Keys[Block]):
    """The one block of all rows."""

    @property
    def scan(self) -> _Scan:
        """The search over it."""
        return _Scan(self.parts[0])


class FlatIndex(Index[Held]):
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

    Search options
    --------------
    scan : which filter to scan with, "head" (where the index has one), "u8", "f32" or "none"; the answer is the same

    ``ids``, and so masks, are in order of addition, to which an update counts. Removed rows are passed over until they
    are a quarter. Several threads may search while one adds or removes.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> index = kf.FlatIndex(8)
    >>> ids = index.add(x)
    >>> distances, ids = index.search(x[:2], k=3)
    >>> ids.shape, ids[:, 0].tolist()
    ((2, 3), [0, 1])
    """

    kind: ClassVar[str] = "index.Flat"
    keeps_vectors: ClassVar[bool] = True  # type: ignore[assignment, unused-ignore]
    options: ClassVar[Mapping[str, Option]] = {"scan": partial(as_choice, choices=FILTERS)}
    range_options: ClassVar[frozenset[str]] = frozenset(options)

    shadow = Flag()

    def __init__(self, dim: int, *, metric: str = "l2", shadow: bool = True) -> None:
        super().__init__(dim, metric)
        self.shadow = shadow
        self._vector_store, self._id_store = Buffer(), Buffer()
        self._hold((), 0)

    def fit(self, x: ArrayLike) -> Self:
        """Nothing to learn; there so that all indexes are used alike."""
        as_vectors(x, "x", dim=self.dim)
        return self

    def add(self, x: ArrayLike, ids: ArrayLike | None = None) -> Ids:
        """Add vectors (n, d) and return their ids (n,), which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        vectors = self._prepared(x, "x", empty=True)
        given = as_new_ids(ids, len(vectors))
        with self._lock:
            held = self._require_fitted()
            new = held.issued(given, len(vectors))
            if len(vectors):
                self._hold((self._grown(held.parts[0], vectors, new),), held.after(new))
            return new

    def update(self, ids: ArrayLike, x: ArrayLike) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        last = last_of(wanted)
        wanted, vectors = wanted[last], vectors[last]
        with self._lock:
            held = self._require_fitted()
            for block, _, rows in held.located(wanted):
                if len(rows):
                    grown = self._grown(block.without(rows), vectors, wanted)
                    self._hold((grown,), held.next_id)

    def stats(self) -> dict[str, JSON]:
        """Sizes: vectors, bytes of a vector with its 8-bit copies and its id, bytes of all copies.

        ``scanned`` counts pairs of a query and a vector that were looked at since the index was made or read: along a
        few directions, in bytes, in float32 products, and those whose distance was taken.
        """
        held = self._require_fitted()
        scan = held.parts[0].scan
        copies = (self.dim + 4.125 if self.shadow else 0) + (36.125 if scan.has_head else 0)
        return {
            "n": len(held),
            "bytes_per_vector": 4 * self.dim + 8 + copies,
            "filter_bytes": int(scan.shadow_bytes),
            "scanned": dict(zip(_RUNGS, scan.counts)),
        }

    def _undeclared(self) -> Arrays:
        held = self._require_fitted()
        (block,), next_id = held.parts, np.array([held.next_id], np.uint64)
        vectors = block.vectors if block.alive is None else block.vectors[block.living_rows()]
        return {"vectors": vectors, "ids": block.living_ids(), "next_id": next_id}

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        check_only(arrays, {"vectors", "ids", "next_id"}, "arrays")
        vectors = take(arrays, "vectors", np.float32, (None, self.dim))
        ids = take(arrays, "ids", np.int64, (len(vectors),))
        next_id = next_id_from(arrays)
        check_ids(ids, next_id)
        block = self._block(np.ascontiguousarray(vectors), np.ascontiguousarray(ids))
        self._hold((block,), next_id)

    # --- inside ----------------------------------------------------------------------------------------

    def _hold(self, parts: tuple[Block, ...], next_id: int) -> None:
        (block,) = parts or (
            self._block(np.empty((0, self.dim), np.float32), np.empty(0, np.int64)),
        )
        if block.sparse:
            block = self._block(block.vectors[block.living_rows()], block.living_ids())
        self._held = Held((block,), next_id)

    def _block(self, vectors: Vectors, ids: Ids) -> Block:
        scan = _core.scan.ExactScan(self.dim, inner_metric(self.metric), self.shadow)
        scan.append(vectors)
        return Block(ids, vectors, scan)

    def _grown(self, block: Block, vectors: Vectors, ids: Ids) -> Block:
        # Behind the present rows, in place of what an interrupted addition left there; seen when the rows are.
        block.scan.append(vectors, at=len(block), earlier=block.vectors)
        alive = block.alive
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(ids), np.uint8)])
        return Block(
            self._id_store.extended(block.ids, ids),
            self._vector_store.extended(block.vectors, vectors),
            block.scan,
            alive=alive,
        )

    def _stored(self, part: Block, rows: NDArray[np.intp]) -> Vectors:
        return part.vectors[rows]

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        return Batch(np.zeros(len(x), np.int64), ids, {"vectors": x}, None)

    def _batch(self, part: Block, rows: NDArray[np.intp]) -> Batch:
        return self._encoded(part.vectors[rows], part.ids[rows])

    def _take_in(self, batch: Batch) -> None:
        with self._lock:
            held = self._require_fitted()
            (block,), _ = held.without(batch.ids)
            grown = self._grown(block, batch.rows["vectors"], batch.ids)
            self._hold((grown,), held.after(batch.ids))

    def _ask(self, held: Held, asked: Asked, k: int, *, scan: str = "auto") -> tuple[Vectors, Ids]:
        queries, admitted, threads = asked
        distances, ids, _ = held.scan.search(queries, k, self._by(scan), threads, admitted)
        return distances, ids

    def _within(
        self, held: Held, asked: Asked, radius: float, *, scan: str = "auto"
    ) -> tuple[Ids, Vectors, Ids]:
        queries, admitted, threads = asked
        found, _ = held.scan.range_search(queries, radius, self._by(scan), threads, admitted)
        return found

    def _by(self, scan: str) -> str:
        """The filter, if there is such a one."""
        if scan == "u8" and not self.shadow:
            raise ValueError("scan: this index keeps no 8-bit copy (shadow=False)")
        return scan
