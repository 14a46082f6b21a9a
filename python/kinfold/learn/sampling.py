"""In which order a network sees its photos."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_count, as_ids


class ClassBalanced:
    """Photos in an order in which every class comes equally often, however many photos it has.

    Classes take turns in a random order; within a class every photo comes once before any comes again.

    labels : int (n,)    the class of each photo
    seed : of all orders; that of an epoch depends on the seed and the epoch alone
    """

    def __init__(self, labels: Any, *, seed: int = 0) -> None:
        ids = as_ids(labels, "labels")
        if not len(ids):
            raise ValueError("labels: expected at least one")
        self.seed = as_count(seed, "seed", least=0)
        self._members = [np.flatnonzero(ids == label) for label in np.unique(ids)]

    def order(self, count: int, epoch: int = 0) -> Ids:
        """Which photos an epoch takes, one after the other: int64 (count,)."""
        count = as_count(count, "count")
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0)])
        classes = len(self._members)
        rounds = -(-count // classes)
        turns = np.concatenate([random.permutation(classes) for _ in range(rounds)])[:count]
        order = np.empty(count, np.int64)
        for label, members in enumerate(self._members):
            places = np.flatnonzero(turns == label)
            passes = -(-len(places) // len(members))
            drawn = [random.permutation(members) for _ in range(passes)]
            if drawn:
                order[places] = np.concatenate(drawn)[: len(places)]
        return order
