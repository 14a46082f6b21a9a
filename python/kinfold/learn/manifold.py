"""Descriptors learnt from photos without labels: what the manifold shows to be near, and what only space does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Ids, Vectors, as_count, as_vectors
from kinfold.learn.loop import History
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.mine.on_manifold import ManifoldSets, mine_on_manifold
from kinfold.learn.tuples import Tuples, finetune_tuples

Describe = Callable[[Any], Vectors]


def finetune_manifold(
    network: Any,
    photos: Sequence[Any],
    descriptors: ArrayLike,
    *,
    loss: Any = None,
    k: int = 30,
    components: str = "all",
    anchors: int | None = 1500,
    k_pos: int = 50,
    k_neg: int | None = None,
    refresh: bool = False,
    nearest: int = 10,
    tuples: int | None = None,
    epochs: int = 10,
    rate: float = 1e-3,
    schedule: str = "cosine",
    seed: int = 0,
    **options: Any,
) -> History:
    """Mine anchors, hard positives and hard negatives on the manifold of a collection, and learn from them.

    Iscen, Tolias, Avrithis & Chum, CVPR 2018. Each epoch an anchor is drawn with one of its positives, which counts by
    its manifold similarity, and with one of those negatives that are nearest to it as the network is then.

    network : of ``features.backbones``, trained; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files, n of them
    descriptors : float32 (n, d)    of the photos, by the network as it is or by whatever tells better what is near:
        whitened ones, a gallery's. The graph is made of them
    loss : from ``learn.losses``; None for ``ContrastiveLoss(0.7)``
    k, components, anchors, k_pos, k_neg : see learn.mine.mine_on_manifold
    refresh : whether the graph is made anew before each epoch but the first, of what the network then gives
    nearest : the negative is one of so many
    tuples : of an epoch; None for one an anchor
    options : of ``learn.tuples.finetune_tuples`` and ``learn.loop.train``: max_side, validate, folder, ...
    Returns the curves. The network then has the weights of the best score.
    Raises ValueError where no anchor has positives and negatives.
    """
    x = as_vectors(descriptors, "descriptors")
    if len(x) != len(photos):
        raise ValueError(f"descriptors: expected {len(photos)}, one a photo, got {len(x)}")

    def sets_of(vectors: Vectors) -> ManifoldSets:
        return mine_on_manifold(
            vectors, k=k, components=components, anchors=anchors, k_pos=k_pos, k_neg=k_neg
        )

    mine = ManifoldTuples(sets_of, x, refresh=refresh, nearest=nearest, tuples=tuples, seed=seed)
    return finetune_tuples(
        network, photos, mine, loss=ContrastiveLoss(0.7) if loss is None else loss, epochs=epochs,
        rate=rate, schedule=schedule, seed=seed, **options,
    )  # fmt: skip


class ManifoldTuples:
    """The ``mine`` of learn.tuples: an anchor, one of its positives, one of the nearest of its negatives.

    sets_of : descriptors float32 (n, d) -> ManifoldSets of them
    descriptors : float32 (n, d), of the first epoch's sets
    refresh, nearest, tuples, seed : see finetune_manifold
    Raises ValueError where no anchor has positives and negatives.
    """

    def __init__(
        self,
        sets_of: Callable[[Vectors], ManifoldSets],
        descriptors: Vectors,
        *,
        refresh: bool = False,
        nearest: int = 10,
        tuples: int | None = None,
        seed: int = 0,
    ) -> None:
        self.sets_of, self.refresh, self.count = sets_of, bool(refresh), len(descriptors)
        self.nearest = as_count(nearest, "nearest")
        self.tuples = None if tuples is None else as_count(tuples, "tuples")
        self.seed = as_count(seed, "seed", least=0)
        self.sets = sets_of(descriptors)
        usable(self.sets)

    def __call__(self, describe: Describe, epoch: int) -> Tuples:
        """The tuples of an epoch."""
        again = self.refresh and epoch > 0
        sets = self.sets_of(describe(np.arange(self.count))) if again else self.sets
        rows = usable(sets)
        random = np.random.default_rng([self.seed, epoch, 3])
        count = len(rows) if self.tuples is None else self.tuples
        # Every anchor comes once before one comes twice.
        rounds = [random.permutation(rows) for _ in range(-(-count // len(rows)))]
        chosen = np.concatenate(rounds)[:count]
        picked = (random.random(count) * (sets.positives[chosen] >= 0).sum(axis=1)).astype(np.int64)
        weights = sets.similarities[chosen, picked]
        return Tuples(
            sets.anchors[chosen],
            sets.positives[chosen, picked],
            self._negatives(describe, sets, chosen, random)[:, None],
            (weights / weights.mean()).astype(np.float32),
        )

    def _negatives(
        self, describe: Describe, sets: ManifoldSets, chosen: Ids, random: np.random.Generator
    ) -> Ids:
        """Of each chosen anchor one of the nearest negatives, as the network sees them."""
        anchors, negatives = sets.anchors[chosen], sets.negatives[chosen]
        needed = np.unique(np.concatenate([anchors, negatives[negatives >= 0]]))
        seen = describe(needed)
        found = np.empty(len(chosen), np.int64)
        for i, (anchor, ids) in enumerate(zip(anchors, negatives)):
            ids = ids[ids >= 0]
            own, others = seen[np.searchsorted(needed, anchor)], seen[np.searchsorted(needed, ids)]
            order = np.argsort(((others - own) ** 2).sum(axis=1), kind="stable")[: self.nearest]
            found[i] = ids[order[random.integers(len(order))]]
        return found


def usable(sets: ManifoldSets) -> Ids:
    """The anchors that have positives and negatives. Raises ValueError where there is none."""
    rows = np.flatnonzero((sets.positives[:, 0] >= 0) & (sets.negatives[:, 0] >= 0))
    if not len(rows):
        raise ValueError(
            f"k_pos: none of {len(sets)} anchors has photos that the manifold alone shows to be near, and others that "
            f"it shows to be far: the collection is too small for k_pos={sets.euclidean.shape[1]}"
        )
    return rows
