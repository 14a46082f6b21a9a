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

    Classes take turns in a random order. Those of one photo alone, as distractors are, come as dissimilar ones: half of
    a batch's classes at most.

    labels : int (n,)    the class of each photo
    classes : of a batch
    photos : of each of these, drawn without repetition; fewer where there are fewer
    seed : of all orders; that of an epoch depends on the seed and the epoch alone
    """

    def __init__(self, labels: Any, *, classes: int = 8, photos: int = 4, seed: int = 0) -> None:
        ids = as_ids(labels, "labels")
        members = [np.flatnonzero(ids == label) for label in np.unique(ids)]
        self._several = [rows for rows in members if len(rows) > 1]
        self._alone = [rows for rows in members if len(rows) == 1]
        if len(members) < 2:
            raise ValueError(f"labels: expected two classes at least, got {len(members)}")
        if not self._several:
            raise ValueError("labels: expected two photos of some class, got one of each")
        self.seed = as_count(seed, "seed", least=0)
        self._classes = as_count(classes, "classes", least=2)
        self._photos = as_count(photos, "photos", least=2)

    def batches(self, count: int, epoch: int = 0) -> list[Ids]:
        """The rows of each batch of an epoch, so many batches: int64 (m,) each, every one with a pair."""
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0)])
        alone = min(len(self._alone), self._classes // 2)
        several = min(len(self._several), self._classes - alone)
        parts = [
            _turns(self._several, several, count, random), _turns(self._alone, alone, count, random)
        ]  # fmt: skip
        return [
            np.concatenate([random.permutation(rows)[: self._photos] for rows in (*first, *second)])
            for first, second in zip(*parts)
        ]


def _turns(
    groups: list[Ids], each: int, count: int, random: np.random.Generator
) -> list[list[Ids]]:
    """So many times some of the groups, none twice at once, all equally often."""
    made: list[list[Ids]] = []
    waiting: list[int] = []
    for _ in range(as_count(count, "count")):
        while len(waiting) < each:
            # Who waits still comes late, lest he be in a batch twice.
            waiting += sorted(random.permutation(len(groups)).tolist(), key=waiting.__contains__)
        made.append([groups[g] for g in waiting[:each]])
        waiting = waiting[each:]
    return made
