"""Descriptors learnt from photos without labels: geometry says which show the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfold.base.arrays import as_count, as_vectors
from kinfold.learn.covisible import CoVisible
from kinfold.learn.loop import History
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.mine.sfm_tuples import SfMTuples
from kinfold.learn.tuples import finetune_tuples
from kinfold.transform.learned_whitening import LearnedWhitening


def finetune_sfm(
    network: Any,
    photos: Sequence[Any],
    seen: CoVisible,
    *,
    margin: float = 0.85,
    loss: Any = None,
    positives: str = "random",
    negatives: str = "one-per-cluster",
    k: int = 5,
    least_share: float = 0.2,
    most_change: float = 1.5,
    singles: bool = False,
    queries: int | None = 2000,
    pool: int | None = 20000,
    epochs: int = 10,
    optimiser: str = "adam",
    rate: float = 1e-5,
    decay: float = 0.9,
    seed: int = 0,
    **options: Any,
) -> History:
    """Learn from tuples of photos that see the same 3-d points, or the same verified matches, and hard negatives.

    Radenovic, Tolias & Chum, ECCV 2016 and PAMI 2019: clusters of photos, as retrieval and verification find them in
    a collection without labels, stand for classes.

    network : of ``features.backbones``, trained; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files, n of them
    seen : what they have in common
    margin : distance of unit vectors up to which negatives are repelled, of the contrastive loss
    loss : another of ``learn.losses`` instead
    positives, negatives, k, least_share, most_change, singles, queries, pool : see learn.mine.sfm_tuples
    options : of learn.tuples.finetune_tuples, and of ``learn.loop.train``
    Returns the curves. The network then has the weights of the best score.
    """
    if len(seen) != len(photos):
        raise ValueError(f"seen: expected what {len(photos)} photos see, got {len(seen)}")
    mine = SfMTuples(
        seen, positives=positives, negatives=negatives, k=k, least_share=least_share,
        most_change=most_change, singles=singles, queries=queries, pool=pool, seed=seed,
    )  # fmt: skip
    return finetune_tuples(
        network, photos, mine, loss=ContrastiveLoss(margin) if loss is None else loss, epochs=epochs,
        optimiser=optimiser, rate=rate, decay=decay, seed=seed, **options,
    )  # fmt: skip


def whitening_of(
    vectors: Any, seen: CoVisible, *, dim: int | None = None, shrinkage: float = 0.0
) -> LearnedWhitening:
    """The whitening that makes differences of descriptors (n, d) of matching photos white: all pairs of ``seen``.

    Radenovic, Tolias & Chum, PAMI 2019, section 3.4. Descriptors of photos of no cluster play no part.
    """
    x = as_vectors(vectors, "vectors")
    if len(x) != len(seen):
        raise ValueError(f"vectors: expected {len(seen)}, one for each photo, got {len(x)}")
    rows, ends = np.unique(seen.pairs, return_inverse=True)
    whitening = LearnedWhitening(None if dim is None else as_count(dim, "dim"), shrinkage=shrinkage)
    return whitening.fit(x[rows], ends.reshape(-1, 2))
