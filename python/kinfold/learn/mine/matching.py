"""For each photo one that shows the same thing, by what both have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_ids, as_number
from kinfold.learn.covisible import CoVisible

POSITIVES = ("nearest", "most", "random")


class Matching:
    """Chooses positives among the photos that see points in common with a query.

    how :
        "nearest"  the one of the nearest descriptor (m1 of Radenovic, Tolias & Chum, PAMI 2019, section 3.2)
        "most"     the one with most points in common (m2)
        "random"   one at random of those that are different enough to teach something and overlap enough to be
                   told (m3)
    least_share : of the query's points, in common with those that "random" draws from
    most_change : of scale, by which these differ at most
    """

    def __init__(
        self, seen: CoVisible, how: str = "random", *, least_share: float = 0.2, most_change: float = 1.5
    ) -> None:  # fmt: skip
        self.how = as_choice(how, "how", POSITIVES)
        share = as_number(least_share, "least_share", least=0, most=1)
        change = as_number(most_change, "most_change", least=1)
        ways = seen.ways()
        allowed = (ways.share >= share) & (ways.change <= change)
        kept = np.flatnonzero(allowed | (self.how != "random"))
        query, self._other, self._common = ways.query[kept], ways.other[kept], ways.common[kept]
        self._starts = np.searchsorted(query, np.arange(len(seen) + 1))
        # Photos that have any, int64 (q,), ascending.
        self.queries = np.unique(query)

    def of(self, query: int) -> Ids:
        """The photos among which is chosen for a query, ascending."""
        return self._other[self._starts[query] : self._starts[query + 1]]

    def __call__(
        self, queries: Any, random: np.random.Generator, *, vectors: Vectors | None = None
    ) -> Ids:
        """A positive for each of some ``queries``: int64 (m,).

        vectors : float32 (n, d), descriptors of all photos: of those in ``of`` at least, for "nearest"
        """
        chosen = []
        for query in as_ids(queries, "queries").tolist():
            others = self.of(query)
            if not len(others):
                raise ValueError(f"queries: photo {query} has no positive")
            if self.how == "random":
                at = int(random.integers(len(others)))
            elif self.how == "most":
                at = int(self._common[self._starts[query] : self._starts[query + 1]].argmax())
            else:
                if vectors is None:
                    raise ValueError("vectors: expected descriptors, by which the nearest is told")
                at = int(((vectors[others] - vectors[query]) ** 2).sum(axis=1).argmin())
            chosen.append(others[at])
        return np.array(chosen, np.int64)
