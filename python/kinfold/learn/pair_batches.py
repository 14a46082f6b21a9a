"""Batches of similar pairs, and of others among the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kinfold.base.arrays import Ids, as_count
from kinfold.learn.similar import as_pair_rows


class PairBatch(NamedTuple):
    """Pictures and pairs of them.

    rows : int64 (r,)       which pictures, each once
    near, far : int64 (m, 2)   places in ``rows`` of similar and of dissimilar pairs
    """

    rows: Ids
    near: Ids
    far: Ids


class PairBatches:
    """Batches of similar pairs, each with pairs of its pictures that are not similar: drawn anew in every epoch.

    In an epoch every picture that has any comes once, with at most ``partners`` of those that are similar to it.

    pairs : int (m, 2)    pictures, each with one that is similar to it. Similar they are both ways round, but drawn
        for the first: of nearest neighbours each picture then has its own alone, and not those whose neighbour it is
    n : how many pictures there are
    batch : pictures that come with their partners
    partners : drawn at random, without repetition
    dissimilar : dissimilar pairs that are drawn for a similar one; pairs that turn out similar are left out
    seed : of all draws; those of an epoch depend on the seed and the epoch alone
    """

    def __init__(
        self, pairs: Any, n: int, *, batch: int = 32, partners: int = 5, dissimilar: int = 8, seed: int = 0
    ) -> None:  # fmt: skip
        rows = as_pair_rows(pairs, n)
        rows = rows[rows[:, 0] != rows[:, 1]]
        if not len(rows):
            raise ValueError("pairs: expected at least one pair of different pictures, got none")
        self.n, self.batch = n, as_count(batch, "batch", least=2)
        self.partners = as_count(partners, "partners")
        self.dissimilar = as_count(dissimilar, "dissimilar")
        self.seed = as_count(seed, "seed", least=0)
        # A pair is one number: sorted, the partners of a picture stand together.
        self._given = np.unique(rows @ (n, 1))
        self._similar = np.union1d(self._given, rows @ (1, n))
        self._starts = np.searchsorted(self._given, np.arange(n + 1) * n)

    def __call__(self, epoch: int) -> Iterator[PairBatch]:
        """The batches of an epoch, counted from 0."""
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0)])
        counts = np.diff(self._starts)
        anchors = random.permutation(np.flatnonzero(counts))
        for start in range(0, len(anchors), self.batch):
            yield self._batch(anchors[start : start + self.batch], random)

    def _batch(self, anchors: Ids, random: np.random.Generator) -> PairBatch:
        pairs = np.concatenate([self._drawn(anchor, random) for anchor in anchors])
        rows, places = np.unique(pairs, return_inverse=True)
        near = places.reshape(pairs.shape)
        far = random.integers(len(rows), size=(self.dissimilar * len(pairs), 2))
        keys = rows[far] @ (self.n, 1)
        at = np.minimum(np.searchsorted(self._similar, keys), len(self._similar) - 1)
        return PairBatch(rows, near, far[(self._similar[at] != keys) & (far[:, 0] != far[:, 1])])

    def _drawn(self, anchor: int, random: np.random.Generator) -> Ids:
        """A picture with some of its partners."""
        keys = self._given[self._starts[anchor] : self._starts[anchor + 1]]
        if len(keys) > self.partners:
            keys = random.choice(keys, self.partners, replace=False)
        return np.stack([np.full(len(keys), anchor), keys % self.n], axis=1)
