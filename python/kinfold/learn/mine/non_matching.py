"""For each photo some that look like it, and show other things."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_ids
from kinfold.learn.covisible import CoVisible
from kinfold.learn.mine.queue import DescriptorQueue

NEGATIVES = ("hardest", "nearest", "one-per-cluster")


class NonMatching:
    """Chooses negatives among photos of other clusters, by their descriptors.

    how :
        "hardest"          the nearest of all (N0 of Radenovic, Tolias & Chum, PAMI 2019, section 3.3)
        "nearest"          the k nearest (N1)
        "one-per-cluster"  the nearest of each of the k nearest clusters (N2): others of one cluster teach the same
    k : so many for each query
    singles : whether photos of no cluster are negatives too, each a cluster of its own
    What ``seen.unsure`` names, and all of its cluster, is no negative.
    """

    def __init__(
        self, seen: CoVisible, how: str = "one-per-cluster", *, k: int = 5, singles: bool = False
    ) -> None:  # fmt: skip
        self.how = as_choice(how, "how", NEGATIVES)
        self.k = 1 if how == "hardest" else as_count(k, "k")
        n = len(seen)
        alone = seen.clusters < 0
        above = int(seen.clusters.max(initial=-1)) + 1
        self._classes = np.where(alone, above + np.arange(n), seen.clusters)
        # Photos that are negatives of others, int64, ascending.
        self.photos = np.arange(n) if singles else np.flatnonzero(~alone)
        self._unsure = defaultdict[int, set[int]](set)
        for a, b in seen.unsure.tolist():
            self._unsure[a].add(int(self._classes[b]))
            self._unsure[b].add(int(self._classes[a]))
        if len(np.unique(self._classes[self.photos])) < 2:
            raise ValueError(
                "clusters: expected two at least, for the negatives of one are photos of the others"
            )

    def __call__(self, queries: Any, pool: Any, vectors: Vectors) -> Ids:
        """Negatives of some ``queries``, the nearest first: int64 (m, k), -1 where there are fewer.

        pool : int (p,), of ``photos``, each once: among which is chosen
        vectors : float32 (n, d), descriptors of all photos: of queries and pool at least
        """
        asked, among = as_ids(queries, "queries"), as_ids(pool, "pool")
        queue = DescriptorQueue(len(among), vectors.shape[1])
        queue.push(vectors[among], self._classes[among], among)
        one = self.how == "one-per-cluster"
        doubts = [self._unsure.get(int(query), set()) for query in asked]
        # So much of what is unsure may come first.
        classes, sizes = np.unique(self._classes[among], return_counts=True)
        counts = dict(zip(classes.tolist(), np.ones_like(sizes) if one else sizes))
        over = max((sum(int(counts.get(c, 0)) for c in doubt) for doubt in doubts), default=0)
        k = min(self.k + over, len(among))
        near = queue.hardest(vectors[asked], self._classes[asked], k, one_per_class=one)[0]
        found = np.full((len(asked), self.k), -1, np.int64)
        for row, (photos, doubt) in enumerate(zip(near, doubts)):
            sure = [p for p in photos.tolist() if p >= 0 and int(self._classes[p]) not in doubt]
            found[row, : len(sure[: self.k])] = sure[: self.k]
        return found
