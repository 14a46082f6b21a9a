"""The rows of all shards, as an index without rows of its own sees them: held in parts, and searched."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_ids
from kinfold.shards.crew import Crew
from kinfold.shards.merge import Merged, all_of, best_of, order_of, sum_of

# As cpp/lists/list_search.cpp has it: how far a shortlist widens that rows of equal codes fill.
_WIDEST = 65536


class Scattered:
    """What an index holds whose rows are elsewhere.

    index : the kind, with what it learnt
    """

    def __init__(self, crew: Crew, index: Any) -> None:
        self.crew, self._index = crew, index
        self._counting = getattr(index, "_counts_rows", False)
        self.refresh()
        self.next_id: int = max(facts["next_id"] for facts in self._facts)

    def refresh(self) -> None:
        """Ask anew how many rows there are: after each change."""
        self._facts = self.crew.each("facts")
        if self._counting:
            cells, sizes = (np.concatenate(part) for part in zip(*self.crew.each("cells")))
            own, place = np.unique(cells, return_inverse=True)
            counts = np.bincount(place, weights=sizes, minlength=len(own)).astype(np.int64)
            starts = np.concatenate([[0], np.cumsum(counts)])
            self.crew.tell("count_by", own, starts)

    def __len__(self) -> int:
        return sum(facts["n"] for facts in self._facts)

    @property
    def rows(self) -> int:
        """All rows, those that were removed too."""
        return sum(facts["rows"] for facts in self._facts)

    @property
    def ids(self) -> Ids:
        """The ids of all living rows, ascending."""
        return np.sort(np.concatenate(self.crew.each("ids")))

    def owners(self, ids: Ids) -> NDArray[np.intp]:
        """The shard that each id is in; -1 where it is in none."""
        owners = np.full(len(ids), -1)
        for number, has in enumerate(self.crew.each("has", ids)):
            owners[has] = number
        return owners

    def admitted(self, filter: Any, *, ascending: bool = True) -> Ids:
        """A filter, as all shards understand it: ids; a mask is one over the ascending ids."""
        array = as_array(filter, "filter") if np.size(filter) else np.empty(0, np.int64)
        if array.dtype.kind != "b":
            return as_ids(array, "filter")
        if array.shape != (len(self),):
            raise ValueError(
                f"filter: expected a mask of {len(self)} rows or ids, got shape {array.shape}"
            )
        return self.ids[array.view(np.bool_)]

    # --- searches --------------------------------------------------------------------------------------

    @property
    def scan(self) -> Scattered:
        """The search over all rows, called as the kind calls its own."""
        return self

    def search(self, *arguments: Any) -> tuple[Vectors, Ids, Any]:
        """Each shard's best of all; with a second look, what one shortlist of all shards' rows gives."""
        *given, filter = arguments
        if getattr(self._index, "_fine", None) is not None:
            return self._in_two_looks(given, filter)
        return self._nearest(given, filter, first=False)

    def _nearest(self, given: list[Any], filter: Any, *, first: bool) -> Any:
        answers = self.crew.each("search", "search", tuple(given), filter, first)
        pairs = [(distances, ids) for distances, ids, _ in answers]
        merged = best_of(pairs, pairs[0][0].shape[1], ascends=self._index._ascends)
        stats = sum_of([stats for _, _, stats in answers])
        return (merged, stats) if first else (merged.distances, merged.ids, stats)

    def range_search(self, *arguments: Any) -> Any:
        """All rows within a radius, in any shard."""
        *given, filter = arguments
        answers = self.crew.each("search", "range_search", tuple(given), filter, False)
        ascends = self._index._ascends
        if len(answers[0]) == 3:  # of a kind that counts nothing
            return all_of(answers, ascends=ascends)
        lists = all_of([found for found, _ in answers], ascends=ascends)
        return lists, sum_of([stats for _, stats in answers])

    def _in_two_looks(self, given: list[Any], filter: Any) -> tuple[Vectors, Ids, Any]:
        """One shortlist, whose rows each shard then compares more finely."""
        queries, original, k, shortlist, *rest = given
        ascends = self._index.metric == "l2"
        distances = np.full((len(queries), k), np.inf if ascends else -np.inf, np.float32)
        ids = np.full((len(queries), k), -1, np.int64)
        which, wanted, counted = np.arange(len(queries)), max(k, shortlist), []
        while True:
            asked = [queries[which], original[which], wanted, wanted, *rest]
            merged, stats = self._nearest(asked, filter, first=True)
            counted.append(stats)
            again = np.zeros(len(which), bool)
            if self._index._widens and wanted < min(_WIDEST, self.rows):
                again = (merged.ids[:, -1] >= 0) & _crowded(merged.distances)
            done = Merged(*(part[~again] for part in merged))
            finer = self._second_look(original[which[~again]], done, rest[-1])
            order = order_of(finer, done.ids, ascends=ascends)[:, :k]
            distances[which[~again]] = np.take_along_axis(finer, order, axis=1)
            ids[which[~again]] = np.take_along_axis(done.ids, order, axis=1)
            which = which[again]
            if not len(which):
                return distances, ids, sum_of(counted)
            wanted = max(k, min(4 * wanted, _WIDEST, self.rows))

    def _second_look(self, queries: Vectors, shortlist: Merged, threads: int) -> Vectors:
        finer = np.full(
            shortlist.ids.shape, np.inf if self._index.metric == "l2" else -np.inf, np.float32
        )
        calls, masks = {}, []
        for number in range(len(self.crew)):
            mine = (shortlist.owners == number) & (shortlist.ids >= 0)
            if mine.any():
                starts = np.concatenate([[0], np.cumsum(mine.sum(axis=1))]).astype(np.int64)
                calls[number] = (queries, starts, shortlist.ids[mine], threads)
                masks.append(mine)
        for mine, found in zip(masks, self.crew.some("second_look", calls)):
            finer[mine] = found
        return finer


def _crowded(distances: Vectors) -> NDArray[np.bool_]:
    """Whether a full shortlist has more than twice as many rows as distances: equal codes leave others no room."""
    different = 1 + np.count_nonzero(distances[:, 1:] != distances[:, :-1], axis=1)
    return np.asarray(2 * different < distances.shape[1])
