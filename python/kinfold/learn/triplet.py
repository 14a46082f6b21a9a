"""Descriptors learnt from triplets: the triplet architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kinfold.learn.loop import History
from kinfold.learn.losses.triplet import TripletLoss
from kinfold.learn.metric import finetune_metric
from kinfold.learn.mine.semi_hard import SemiHard


def finetune_triplet(
    network: Any,
    photos: Sequence[Any],
    labels: Any,
    *,
    margin: float = 0.1,
    miner: Callable[[Any, Any], Any] | None = None,
    epochs: int = 10,
    rate: float = 1e-3,
    schedule: str = "cosine",
    **options: Any,
) -> History:
    """Triplet loss of the semi-hard triplets of a batch.

    Anchor, positive and negative go through the same network: Wang et al., CVPR 2014; Schroff, Kalenichenko & Philbin,
    CVPR 2015.

    margin : by which the squared distance to the negative should be the larger
    miner : None for ``SemiHard``
    network, photos, labels, options : see learn.metric.finetune_metric and learn.loop.train
    Returns the curves. The network then has the weights of the best score.
    """
    return finetune_metric(
        network, photos, labels, loss=TripletLoss(margin), miner=SemiHard() if miner is None else miner,
        epochs=epochs, rate=rate, schedule=schedule, **options,
    )  # fmt: skip
