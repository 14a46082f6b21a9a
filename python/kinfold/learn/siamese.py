"""Descriptors learnt from pairs: the siamese architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kinfold.learn.loop import History
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.metric import finetune_metric
from kinfold.learn.mine.one_per_class import OnePerClass


def finetune_siamese(
    network: Any,
    photos: Sequence[Any],
    labels: Any,
    *,
    margin: float = 0.7,
    miner: Callable[[Any, Any], Any] | None = None,
    epochs: int = 10,
    rate: float = 1e-3,
    schedule: str = "cosine",
    **options: Any,
) -> History:
    """Contrastive loss of all pairs of one class in a batch, and of each photo with the nearest of other classes.

    Both photos of a pair go through the same network: Hadsell, Chopra & LeCun, CVPR 2006; on pooled maps and with one
    hard negative a class: Radenovic, Tolias & Chum, ECCV 2016, section 4.

    margin : distance of unit vectors up to which photos of different classes repel one another
    miner : None for ``OnePerClass``
    network, photos, labels, options : see learn.metric.finetune_metric and learn.loop.train
    Returns the curves. The network then has the weights of the best score.
    """
    return finetune_metric(
        network, photos, labels, loss=ContrastiveLoss(margin), miner=OnePerClass() if miner is None else miner,
        epochs=epochs, rate=rate, schedule=schedule, **options,
    )  # fmt: skip
