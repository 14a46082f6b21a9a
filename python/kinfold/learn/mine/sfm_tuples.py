"""Tuples from clusters of photos: a query, a positive that sees the same points, negatives that only look alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_count
from kinfold.learn.covisible import CoVisible
from kinfold.learn.mine.matching import Matching
from kinfold.learn.mine.non_matching import NonMatching
from kinfold.learn.tuples import Describe, Tuples


class SfMTuples:
    """The ``mine`` of learn.tuples: mined anew before each epoch, from as many photos as are asked for.

    seen : of the photos
    positives, least_share, most_change : see learn.mine.matching
    negatives, k, singles : see learn.mine.non_matching
    queries : of an epoch, drawn anew; None for all photos that have a positive
    pool : photos among which negatives are sought, drawn anew; None for all
    Radenovic, Tolias & Chum, PAMI 2019, section 3; there 2,000 queries and a pool of 20,000.
    """

    def __init__(
        self,
        seen: CoVisible,
        *,
        positives: str = "random",
        negatives: str = "one-per-cluster",
        k: int = 5,
        least_share: float = 0.2,
        most_change: float = 1.5,
        singles: bool = False,
        queries: int | None = 2000,
        pool: int | None = 20000,
        seed: int = 0,
    ) -> None:
        self.matching = Matching(
            seen, positives, least_share=least_share, most_change=most_change
        )  # fmt: skip
        self.non_matching = NonMatching(seen, negatives, k=k, singles=singles)
        if not len(self.matching.queries):
            raise ValueError(
                f"pairs: expected some from which {positives!r} positives can be chosen, got none of {len(seen.pairs)}"
            )
        self.queries = None if queries is None else as_count(queries, "queries")
        self.pool = None if pool is None else as_count(pool, "pool")
        self.seed = as_count(seed, "seed", least=0)
        self._n = len(seen)

    def __call__(self, describe: Describe, epoch: int) -> Tuples:
        """What an epoch learns from: it depends on the seed, the epoch and the descriptors alone."""
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0), 3])
        queries = _drawn(self.matching.queries, self.queries, random)
        pool = _drawn(self.non_matching.photos, self.pool, random)
        rows = [queries, pool]
        if self.matching.how == "nearest":
            rows += [self.matching.of(query) for query in queries.tolist()]
        needed = np.unique(np.concatenate(rows))
        found = describe(needed)
        vectors = np.zeros((self._n, found.shape[1]), np.float32)
        vectors[needed] = found
        positives = self.matching(queries, random, vectors=vectors)
        return Tuples(queries, positives, self.non_matching(queries, pool, vectors))


def _drawn(photos: Ids, count: int | None, random: np.random.Generator) -> Any:
    """So many at random, all of them in random order at most."""
    return random.permutation(photos)[:count]
