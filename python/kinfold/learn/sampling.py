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


class ClassGroups:
    """Batches of a few photos of a few classes each, so that every batch has pairs: for miners within it.

    Classes take turns in a random order, those that have one photo alone come as dissimilar ones.

    labels : int (n,)    the class of each photo
    classes : of a batch
    photos : of each of these, drawn without repetition; fewer where there are fewer
    seed : of all orders; that of an epoch depends on the seed and the epoch alone
    """

    def __init__(self, labels: Any, *, classes: int = 8, photos: int = 4, seed: int = 0) -> None:
        ids = as_ids(labels, "labels")
        known, sizes = np.unique(ids, return_counts=True)
        if len(known) < 2:
            raise ValueError(f"labels: expected two classes at least, got {len(known)}")
        if sizes.max() < 2:
            raise ValueError("labels: expected two photos of some class, got one of each")
        self.seed = as_count(seed, "seed", least=0)
        self._classes = min(as_count(classes, "classes", least=2), len(known))
        self._photos = as_count(photos, "photos", least=2)
        self._members = [np.flatnonzero(ids == label) for label in known]

    def batches(self, count: int, epoch: int = 0) -> list[Ids]:
        """The rows of each batch of an epoch, so many batches: int64 (m,) each, every one with a pair."""
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0)])
        several = np.array([len(members) > 1 for members in self._members])
        made: list[Ids] = []
        turns: list[int] = []
        for _ in range(as_count(count, "count")):
            while len(turns) < self._classes:
                turns += [c for c in random.permutation(len(self._members)) if c not in turns]
            batch, turns = turns[: self._classes], turns[self._classes :]
            if not several[batch].any():
                batch[-1] = int(random.choice(np.flatnonzero(several)))
            drawn = [random.permutation(self._members[c])[: self._photos] for c in batch]
            made.append(np.concatenate(drawn))
        return made
