"""Items described by several vectors each, compared region by region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Ids,
    Vectors,
    as_choice,
    as_count,
    as_ids,
    as_threads,
    as_vectors,
    read_only,
)
from kinfold.base.errors import FileFormatError
from kinfold.base.parameters import Count
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, check_only, check_starts, take
from kinfold.store.buffer import Buffer
from kinfold.store.keyed import Keyed, Keys, Marks, as_new_ids, check_ids, last_of, next_id_from
from kinfold.store.table import Table

if TYPE_CHECKING:
    from typing_extensions import Self

    from kinfold.index.base import Index

MATCHES = ("mean", "best")


def cross_match(
    query: ArrayLike, regions: ArrayLike, starts: ArrayLike, *, match: str = "mean"
) -> Vectors:
    """The similarity of a query to items: of each of its regions the best match in the item, and their mean.

    query : float32 (q, d)
    regions : float32 (r, d)    of all items, one after the other
    starts : int64 (n + 1,)     item i has the rows starts[i] to starts[i + 1], at least one
    match : "mean" of the query's regions, or "best": that of the best pair alone
    Returns float32 (n,): (1/q) sum over the query's regions of the largest inner product. Not symmetric: what the
    item shows besides costs nothing. Razavian, Sullivan, Carlsson & Maki 2014, section 3.
    """
    base = as_vectors(regions, "regions")
    vectors = as_vectors(query, "query", dim=base.shape[1])
    bounds = np.asarray(starts)
    rising = bounds.ndim == 1 and bounds.dtype.kind in "iu" and len(bounds) > 1
    if not rising or bounds[0] != 0 or bounds[-1] != len(base) or (np.diff(bounds) < 1).any():
        raise ValueError(
            f"starts: expected to rise from 0 to {len(base)}, at least one region an item"
        )
    scan = _core.scan.RegionScan(base.shape[1], False)
    scan.append(base)
    scores: Vectors = scan.scores(
        base, bounds.astype(np.int64), vectors, as_choice(match, "match", MATCHES)
    )
    return scores


@dataclass(frozen=True)
class Items(Keyed):
    """All items of an index.

    vectors : float32 (r, d), the regions, a view of a buffer that may have room for more
    starts : int64 (n + 1,), item i has the rows starts[i] to starts[i + 1]
    scan : the compiled search over at least these regions
    """

    vectors: Vectors
    starts: Ids
    scan: Any


class RegionalIndex(Table[Keys[Items]]):
    """Search by the regions of items: exhaustive, or exact on a shortlist that another index proposes.

    Items are ranked by ``cross_match``, ties by ascending id. An 8-bit copy of the regions (a quarter of their size)
    serves as a filter with proven bounds, as in ``FlatIndex``: the answer depends neither on it nor on the instruction
    set or the threads.

    dim : dimension of the regions' vectors, which should have length one

    Regions of items that were removed keep their rows, passed over, until ``compact``: an index for shortlists stays
    right. Several threads may search while one adds or removes.

    Examples
    --------
    >>> index = kf.RegionalIndex(2)
    >>> photos = [[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8]]]  # regions of each
    >>> ids = index.add(photos)
    >>> index.search([[0.0, 1.0]], k=1).ids.tolist()
    [0]
    """

    kind: ClassVar[str] = "index.Regional"

    dim = Count(most=1 << 20)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self._vector_store, self._id_store = Buffer(), Buffer()
        none = np.empty((0, self.dim), np.float32), np.zeros(1, np.int64)
        self._hold((self._items(np.empty(0, np.int64), *none),), 0)

    @property
    def vectors(self) -> Vectors:
        """The regions of all items, float32 (r, dim): what an index for shortlists holds, ids being their rows."""
        return read_only(self._all.vectors)

    @property
    def starts(self) -> Ids:
        """Item i, also one that was removed, has the rows starts[i] to starts[i + 1]: int64 (n + 1,)."""
        return read_only(self._all.starts)

    @property
    def rows(self) -> Ids:
        """The rows of ``vectors`` that are of items that were not removed, int64, ascending."""
        block = self._all
        counts = np.diff(block.starts)
        if block.alive is None:
            return np.arange(len(block.vectors))
        return np.flatnonzero(np.repeat(block.alive.view(np.bool_), counts))

    def items(self, ids: ArrayLike) -> list[Vectors]:
        """The regions of items, an array (regions, dim) each; ValueError names an id that is not there."""
        wanted = as_ids(ids, "ids")
        ((block, mine, rows),) = self._require_fitted().located(wanted)
        found: list[Vectors] = [np.empty((0, self.dim), np.float32)] * len(wanted)
        for at, row in zip(mine.tolist(), rows.tolist()):
            found[at] = read_only(block.vectors[block.starts[row] : block.starts[row + 1]])
        return found

    def add(self, items: Iterable[ArrayLike], ids: ArrayLike | None = None) -> Ids:
        """Add items, an array (regions, dim) each, with at least one region; returns their ids (n,).

        ids : one for each; they number on where none are given
        Raises ValueError for ids that are there already or occur twice.
        """
        parts = [as_vectors(item, "items", dim=self.dim) for item in items]
        given = as_new_ids(ids, len(parts))
        with self._lock:
            held = self._require_fitted()
            new = held.issued(given, len(parts))
            if parts:
                self._hold((self._grown(held.parts[0], parts, new),), held.after(new))
            return new

    def update(self, ids: ArrayLike, items: Iterable[ArrayLike]) -> None:
        """Replace items, which then count as added last; ValueError names an id that is not there."""
        parts = [as_vectors(item, "items", dim=self.dim) for item in items]
        wanted = as_ids(ids, "ids", n=len(parts))
        last = last_of(wanted)
        wanted = wanted[last]
        with self._lock:
            held = self._require_fitted()
            ((block, _, rows),) = held.located(wanted)
            if len(rows):
                grown = self._grown(block.without(rows), [parts[at] for at in last], wanted)
                self._hold((grown,), held.next_id)

    def compact(self) -> Self:
        """Drop what was removed; the rows of ``vectors`` are then numbered anew, and so must be those of an index."""
        with self._lock:
            held = self._require_fitted()
            (block,) = held.parts
            if block.alive is not None:
                counts, kept = np.diff(block.starts), block.alive.view(np.bool_)
                starts = np.concatenate([[0], np.cumsum(counts[kept])])
                vectors = block.vectors[np.repeat(kept, counts)]
                self._hold((self._items(block.living_ids(), vectors, starts),), held.next_id)
        return self

    def search(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        match: str = "mean",
        index: Index | None = None,
        shortlist: int = 100,
        depth: int = 100,
        filter: ArrayLike | None = None,
        threads: int = 0,
    ) -> Neighbours:
        """The k items most similar to a query by cross_match, best first, ties by ascending id.

        query : (q, dim), the regions of one query
        match : "mean" or "best", see cross_match
        index : of ``vectors`` by rows, metric "ip" or "cosine": then only items that it proposes are compared
        shortlist : so many items; those with the best sum of what the index found for the query's regions
        depth : so many regions are asked of the index for each of the query's
        filter : ids that may answer, or a boolean mask over ``ids``
        threads : 0 for the library's setting
        Returns similarities float32 (k,) and ids int64 (k,); -inf and -1 where there are fewer.
        """
        vectors = as_vectors(query, "query", dim=self.dim)
        k, use = as_count(k, "k", most=1 << 24), as_threads(threads)
        how = as_choice(match, "match", MATCHES)
        held = self._require_fitted()
        (block,), (may,) = held.parts, held.admitted(filter)
        regions = block.vectors, block.starts
        if index is None and may is None and block.ascending:
            similarities, rows = block.scan.search(*regions, vectors, k, how, use)
            rows[rows >= 0] = block.ids[rows[rows >= 0]]
            return Neighbours(similarities, rows)
        if index is None:
            items = np.arange(len(block)) if may is None else np.flatnonzero(may)
        else:
            most = as_count(shortlist, "shortlist")
            rows = (
                None
                if filter is None
                else np.flatnonzero(np.repeat(may != 0, np.diff(block.starts)))
            )
            items = _proposed(block, vectors, index, how, may, most, depth, rows)
        scores = block.scan.scores(*regions, vectors, how, items, use)
        ids = block.ids[items]
        best = np.lexsort((ids, -scores))[:k]
        similarities, found = np.full(k, -np.inf, np.float32), np.full(k, -1, np.int64)
        similarities[: len(best)], found[: len(best)] = scores[best], ids[best]
        return Neighbours(similarities, found)

    def scores(self, query: ArrayLike, *, match: str = "mean", threads: int = 0) -> Vectors:
        """The similarity to every item, in the order of ``ids``: float32 (n,)."""
        vectors = as_vectors(query, "query", dim=self.dim)
        how, use = as_choice(match, "match", MATCHES), as_threads(threads)
        block = self._all
        items = None if block.alive is None else block.living_rows()
        scores: Vectors = block.scan.scores(block.vectors, block.starts, vectors, how, items, use)
        return scores

    def stats(self) -> dict[str, JSON]:
        """Items, their regions, and bytes of a region with its 8-bit copy."""
        block = self._all
        return {
            "n": block.living,
            "regions": len(block.vectors),
            "removed": len(block) - block.living,
            "bytes_per_region": 5 * self.dim,
        }

    def _undeclared(self) -> Arrays:
        # Ids, the next one, and which items were removed, where they do not go without saying.
        held = self._require_fitted()
        (block,) = held.parts
        arrays: Arrays = {"vectors": block.vectors, "starts": block.starts}
        plain = held.next_id == len(block) and block.ascending and block.alive is None
        if not plain:
            arrays |= {"ids": block.ids, "next_id": np.array([held.next_id], np.uint64)}
        return arrays if block.alive is None else {**arrays, "alive": block.alive}

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        check_only(arrays, {"vectors", "starts", "ids", "next_id", "alive"}, "arrays")
        vectors = take(arrays, "vectors", np.float32, (None, self.dim))
        starts = take(arrays, "starts", np.int64, (None,))
        check_starts(starts, len(vectors), "starts")
        if (starts[1:] == starts[:-1]).any():
            raise FileFormatError("array 'starts': expected at least one region an item")
        n = len(starts) - 1
        ids, next_id, alive = np.arange(n), n, None
        if "alive" in arrays:
            alive = np.ascontiguousarray(take(arrays, "alive", np.uint8, (n,)))
            if (alive > 1).any():
                raise FileFormatError("array 'alive': expected 0 or 1")
        if {"ids", "next_id", "alive"} & set(arrays):
            ids, next_id = take(arrays, "ids", np.int64, (n,)), next_id_from(arrays)
            check_ids(ids if alive is None else ids[alive != 0], next_id)
        given = np.ascontiguousarray(vectors), np.ascontiguousarray(starts)
        self._hold((self._items(np.ascontiguousarray(ids), *given, alive),), next_id)

    # --- inside ----------------------------------------------------------------------------------------

    @property
    def _all(self) -> Items:
        return self._require_fitted().parts[0]

    def _hold(self, parts: tuple[Items, ...], next_id: int) -> None:
        self._held = Keys(parts, next_id)

    def _items(self, ids: Ids, vectors: Vectors, starts: Ids, alive: Marks | None = None) -> Items:
        scan = _core.scan.RegionScan(self.dim)
        scan.append(vectors)
        return Items(ids, vectors, starts, scan, alive=alive)

    def _grown(self, block: Items, items: list[Vectors], ids: Ids) -> Items:
        added, alive = np.concatenate(items), block.alive
        # Behind the present rows, in place of what an interrupted addition left there.
        block.scan.append(added, at=len(block.vectors))
        ends = block.starts[-1] + np.cumsum([len(item) for item in items])
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(ids), np.uint8)])
        return Items(
            self._id_store.extended(block.ids, ids),
            self._vector_store.extended(block.vectors, added),
            np.concatenate([block.starts, ends]),
            block.scan,
            alive=alive,
        )


def _proposed(
    items: Items,
    query: Vectors,
    index: Index,
    match: str,
    may: Marks | None,
    shortlist: int,
    depth: int,
    rows: Ids | None,
) -> Ids:
    """Rows of items that an index of the regions proposes, ascending; of those that may answer.

    rows : of the regions of these, where a filter bars others
    """
    if getattr(index, "metric", None) not in ("ip", "cosine"):
        raise ValueError(
            'index: expected one of the metric "ip" or "cosine": similarities are added up'
        )
    n = len(items)
    most = min(as_count(depth, "depth"), len(items.vectors))
    if not most:
        return np.empty(0, np.int64)
    similarities, regions = index.search(query, most, filter=rows)
    if regions.max(initial=-1) >= len(items.vectors):
        raise ValueError(
            f"index: expected the regions' rows as ids, below {len(items.vectors)}, got {regions.max()}"
        )
    votes = np.full(n, 0.0 if match == "mean" else -np.inf)
    for values, found in zip(similarities, regions):
        values, found = values[found >= 0], found[found >= 0]
        if not len(found):
            continue
        owners = np.searchsorted(items.starts, found, side="right") - 1
        if match == "best":
            np.maximum.at(votes, owners, values)
            continue
        # What was not found is at most as similar as the last that was.
        best = np.full(n, values[-1], np.float64)
        np.maximum.at(best, owners, values)
        votes += best - values[-1]
    proposed = np.flatnonzero(votes > (0 if match == "mean" else -np.inf))
    proposed = proposed if may is None else proposed[may[proposed] != 0]
    order = np.argsort(-votes[proposed], kind="stable")[:shortlist]
    return np.sort(proposed[order])
