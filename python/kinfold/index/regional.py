"""Items described by several vectors each, compared region by region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count, as_vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, check_only, check_starts, take, take_param

# Regions that are compared at once: their products with a query's stay in the cache.
_BLOCK = 16384


def cross_match(query: Any, regions: Any, starts: Any) -> Vectors:
    """The similarity of a query to items: of each of its regions the best match in the item, and their mean.

    query : float32 (q, d)
    regions : float32 (r, d)    of all items, one after the other
    starts : int64 (n + 1,)     item i has the rows starts[i] to starts[i + 1], at least one
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
    return _cross_match(vectors, base, bounds.astype(np.int64))


class RegionalIndex:
    """Search by the regions of items: exhaustive, or exact on a shortlist that another index proposes.

    dim : dimension of the regions' vectors, which should have length one
    Items are numbered in the order in which they are added.
    """

    kind: ClassVar[str] = "index.Regional"

    def __init__(self, dim: int) -> None:
        self.dim = as_count(dim, "dim", most=1 << 20)
        self._vectors: Vectors = np.empty((0, self.dim), np.float32)
        self._starts: Ids = np.zeros(1, np.int64)

    def __repr__(self) -> str:
        return f"RegionalIndex(dim={self.dim}, items={len(self)}, regions={len(self._vectors)})"

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def vectors(self) -> Vectors:
        """The regions of all items, float32 (r, dim): what an index for shortlists holds, ids being their rows."""
        return self._vectors

    @property
    def starts(self) -> Ids:
        """Item i has the rows starts[i] to starts[i + 1]: int64 (n + 1,)."""
        return self._starts

    def add(self, items: Iterable[Any]) -> RegionalIndex:
        """Add items, an array (regions, dim) each, with at least one region."""
        parts = [as_vectors(item, "items", dim=self.dim) for item in items]
        if parts:
            ends = self._starts[-1] + np.cumsum([len(part) for part in parts])
            self._vectors = np.concatenate([self._vectors, *parts])
            self._starts = np.concatenate([self._starts, ends])
        return self

    def search(
        self, query: Any, k: int, *, index: Any = None, shortlist: int = 100, depth: int = 100
    ) -> Neighbours:
        """The k items most similar to a query by cross_match, best first, ties by number.

        query : (q, dim), the regions of one query
        index : of ``vectors`` by rows, metric "ip" or "cosine": then only items that it proposes are compared
        shortlist : so many items; those with the best sum of what the index found for the query's regions
        depth : so many regions are asked of the index for each of the query's
        Returns similarities float32 (k,) and items int64 (k,); -inf and -1 where there are fewer.
        """
        vectors = as_vectors(query, "query", dim=self.dim)
        count = as_count(k, "k")
        items = np.arange(len(self))
        if index is not None:
            items = self._proposed(vectors, index, as_count(shortlist, "shortlist"), depth)
        scores = self._scores(vectors, items)
        best = np.argsort(-scores, kind="stable")[:count]
        similarities = np.full(count, -np.inf, np.float32)
        found = np.full(count, -1, np.int64)
        similarities[: len(best)], found[: len(best)] = scores[best], items[best]
        return Neighbours(similarities, found)

    def scores(self, query: Any) -> Vectors:
        """The similarity to every item: float32 (n,)."""
        vectors = as_vectors(query, "query", dim=self.dim)
        return self._scores(vectors, np.arange(len(self)))

    def params(self) -> dict[str, JSON]:
        return {"dim": self.dim}

    def arrays(self) -> Arrays:
        return {"vectors": self._vectors, "starts": self._starts}

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
        index._vectors, index._starts = vectors, starts
        return index

    def _scores(self, query: Vectors, items: Ids) -> Vectors:
        if not len(items):
            return np.empty(0, np.float32)
        if len(items) == len(self):
            return _cross_match(query, self._vectors, self._starts)
        counts = self._starts[items + 1] - self._starts[items]
        ends = np.cumsum(counts)
        # The rows of the chosen items, one item after the other.
        rows = np.repeat(self._starts[items] - ends + counts, counts) + np.arange(ends[-1])
        return _cross_match(query, self._vectors[rows], np.concatenate([[0], ends]))

    def _proposed(self, query: Vectors, index: Any, shortlist: int, depth: int) -> Ids:
        """Items that an index of the regions proposes, ascending."""
        most = min(as_count(depth, "depth"), len(self._vectors))
        if not most:
            return np.empty(0, np.int64)
        similarities, rows = index.search(query, most)
        votes = np.zeros(len(self))
        for values, found in zip(similarities, rows):
            values, found = values[found >= 0], found[found >= 0]
            if not len(found):
                continue
            items = np.searchsorted(self._starts, found, side="right") - 1
            # What was not found is at most as similar as the last that was.
            best = np.full(len(self), values[-1], np.float64)
            np.maximum.at(best, items, values)
            votes += best - values[-1]
        proposed = np.flatnonzero(votes > 0)
        order = np.argsort(-votes[proposed], kind="stable")[:shortlist]
        return np.sort(proposed[order])


def _cross_match(query: Vectors, base: Vectors, starts: Ids) -> Vectors:
    """Blocks of whole items: one product, the largest of each item's columns, the mean of the rows."""
    n = len(starts) - 1
    scores = np.empty(n, np.float32)
    first = 0
    while first < n:
        last = int(np.searchsorted(starts, starts[first] + _BLOCK, side="right")) - 1
        last = min(max(last, first + 1), n)
        products = query @ base[starts[first] : starts[last]].T
        best = np.maximum.reduceat(products, starts[first:last] - starts[first], axis=1)
        scores[first:last] = best.mean(axis=0)
        first = last
    return scores
