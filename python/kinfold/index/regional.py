"""Items described by several vectors each, compared region by region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_vectors, read_only
from kinfold.base.errors import FileFormatError
from kinfold.base.locks import Lock
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, Restorable, check_only, check_starts, take, take_param

MATCHES = ("mean", "best")


def cross_match(query: Any, regions: Any, starts: Any, *, match: str = "mean") -> Vectors:
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


class _Rows(NamedTuple):
    """One consistent state, replaced as a whole: a search sees the old one or the new one."""

    vectors: Vectors  # (r, d)
    starts: Ids  # (n + 1,)


class RegionalIndex(Restorable):
    """Search by the regions of items: exhaustive, or exact on a shortlist that another index proposes.

    Items are ranked by ``cross_match``, ties by number. An 8-bit copy of the regions (a quarter of their size) serves
    as a filter with proven bounds, as in ``FlatIndex``: the answer depends neither on it nor on the instruction set
    or the threads.

    dim : dimension of the regions' vectors, which should have length one
    Items are numbered in the order in which they are added. Several threads may search while one adds.
    """

    kind: ClassVar[str] = "index.Regional"

    def __init__(self, dim: int) -> None:
        self.dim = as_count(dim, "dim", most=1 << 20)
        self._lock = Lock()
        self._scan = _core.scan.RegionScan(self.dim)
        self._rows = _Rows(np.empty((0, self.dim), np.float32), np.zeros(1, np.int64))

    def __repr__(self) -> str:
        return f"RegionalIndex(dim={self.dim}, items={len(self)}, regions={len(self.vectors)})"

    def __len__(self) -> int:
        return len(self._rows.starts) - 1

    @property
    def vectors(self) -> Vectors:
        """The regions of all items, float32 (r, dim): what an index for shortlists holds, ids being their rows."""
        return read_only(self._rows.vectors)

    @property
    def starts(self) -> Ids:
        """Item i has the rows starts[i] to starts[i + 1]: int64 (n + 1,)."""
        return read_only(self._rows.starts)

    def add(self, items: Iterable[Any]) -> RegionalIndex:
        """Add items, an array (regions, dim) each, with at least one region."""
        parts = [as_vectors(item, "items", dim=self.dim) for item in items]
        if parts:
            added = np.concatenate(parts)
            with self._lock:
                vectors, starts = self._rows
                # Behind the present rows, in place of what an interrupted addition left there.
                self._scan.append(added, at=len(vectors))
                ends = starts[-1] + np.cumsum([len(part) for part in parts])
                self._rows = _Rows(np.concatenate([vectors, added]), np.concatenate([starts, ends]))
        return self

    def search(
        self,
        query: Any,
        k: int,
        *,
        match: str = "mean",
        index: Any = None,
        shortlist: int = 100,
        depth: int = 100,
        threads: int = 0,
    ) -> Neighbours:
        """The k items most similar to a query by cross_match, best first, ties by number.

        query : (q, dim), the regions of one query
        match : "mean" or "best", see cross_match
        index : of ``vectors`` by rows, metric "ip" or "cosine": then only items that it proposes are compared
        shortlist : so many items; those with the best sum of what the index found for the query's regions
        depth : so many regions are asked of the index for each of the query's
        threads : 0 for the library's setting
        Returns similarities float32 (k,) and items int64 (k,); -inf and -1 where there are fewer.
        """
        vectors = as_vectors(query, "query", dim=self.dim)
        count = as_count(k, "k", most=1 << 24)
        how = as_choice(match, "match", MATCHES)
        use = as_count(threads, "threads", least=0, most=1024)
        rows = self._rows
        if index is None:
            return Neighbours(*self._scan.search(*rows, vectors, count, how, use))
        items = _proposed(rows, vectors, index, how, as_count(shortlist, "shortlist"), depth)
        scores = self._scan.scores(*rows, vectors, how, items, use)
        best = np.argsort(-scores, kind="stable")[:count]
        similarities = np.full(count, -np.inf, np.float32)
        found = np.full(count, -1, np.int64)
        similarities[: len(best)], found[: len(best)] = scores[best], items[best]
        return Neighbours(similarities, found)

    def scores(self, query: Any, *, match: str = "mean", threads: int = 0) -> Vectors:
        """The similarity to every item: float32 (n,)."""
        vectors = as_vectors(query, "query", dim=self.dim)
        how = as_choice(match, "match", MATCHES)
        use = as_count(threads, "threads", least=0, most=1024)
        scores: Vectors = self._scan.scores(*self._rows, vectors, how, None, use)
        return scores

    def params(self) -> dict[str, JSON]:
        return {"dim": self.dim}

    def arrays(self) -> Arrays:
        return self._rows._asdict()

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> RegionalIndex:
        check_only(params, {"dim"}, "parameters")
        check_only(arrays, {"vectors", "starts"}, "arrays")
        try:
            index = cls(take_param(params, "dim", int))
        except ValueError as error:
            raise FileFormatError(f"RegionalIndex: {error}") from error
        vectors = take(arrays, "vectors", np.float32, (None, index.dim))
        starts = take(arrays, "starts", np.int64, (None,))
        check_starts(starts, len(vectors), "starts")
        if (starts[1:] == starts[:-1]).any():
            raise FileFormatError("array 'starts': expected at least one region an item")
        index._rows = _Rows(np.ascontiguousarray(vectors), np.ascontiguousarray(starts))
        index._scan.append(index._rows.vectors)
        return index


def _proposed(
    rows: _Rows, query: Vectors, index: Any, match: str, shortlist: int, depth: int
) -> Ids:
    """Items that an index of the regions proposes, ascending."""
    if getattr(index, "metric", None) not in ("ip", "cosine"):
        raise ValueError(
            'index: expected one of the metric "ip" or "cosine": similarities are added up'
        )
    n = len(rows.starts) - 1
    most = min(as_count(depth, "depth"), len(rows.vectors))
    if not most:
        return np.empty(0, np.int64)
    similarities, regions = index.search(query, most)
    if regions.max(initial=-1) >= len(rows.vectors):
        raise ValueError(
            f"index: expected the regions' rows as ids, below {len(rows.vectors)}, got {regions.max()}"
        )
    votes = np.full(n, 0.0 if match == "mean" else -np.inf)
    for values, found in zip(similarities, regions):
        values, found = values[found >= 0], found[found >= 0]
        if not len(found):
            continue
        items = np.searchsorted(rows.starts, found, side="right") - 1
        if match == "best":
            np.maximum.at(votes, items, values)
            continue
        # What was not found is at most as similar as the last that was.
        best = np.full(n, values[-1], np.float64)
        np.maximum.at(best, items, values)
        votes += best - values[-1]
    proposed = np.flatnonzero(votes > (0 if match == "mean" else -np.inf))
    order = np.argsort(-votes[proposed], kind="stable")[:shortlist]
    return np.sort(proposed[order])
