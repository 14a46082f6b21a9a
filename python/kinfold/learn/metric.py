"""Descriptors learnt from labelled photos by batches of a few classes, a miner and a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count, as_ids
from kinfold.base.extras import require
from kinfold.learn.augment import random_square
from kinfold.learn.descriptor import Descriptor
from kinfold.learn.inputs import as_input
from kinfold.learn.loop import History, train
from kinfold.learn.sampling import ClassGroups

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def finetune_metric(
    network: Any,
    photos: Sequence[Any],
    labels: Any,
    *,
    loss: Any,
    miner: Callable[[Any, Any], Any],
    layer: str | None = None,
    pooling: str = "gem",
    classes: int = 8,
    photos_of_each: int = 4,
    batches_an_epoch: int | None = None,
    side: int = 224,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train the descriptors of a network so that photos of one class are near one another.

    network : of ``features.backbones``, trained; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files, n of them
    labels : int (n,)    their classes
    loss : from ``learn.losses``
    miner : from ``learn.mine``, or of pytorch-metric-learning: what of a batch is learnt from
    layer, pooling : of the descriptors, see learn.descriptor
    classes, photos_of_each : of a batch
    batches_an_epoch : None for so many that n photos are seen
    side : photos become random squares of this side, mirrored every other time
    options : of ``learn.loop.train``: epochs, rate, validate, folder, ...
    Returns the curves. The network then has the weights of the best score.
    """
    ids = as_ids(labels, "labels", n=len(photos))
    side = as_count(side, "side", least=32)
    sampler = ClassGroups(ids, classes=classes, photos=photos_of_each, seed=seed)
    size = max(len(rows) for rows in sampler.batches(16))
    count = max(round(len(photos) / size), 1) if batches_an_epoch is None else batches_an_epoch
    count = as_count(count, "batches_an_epoch")
    descriptor = Descriptor(network, layer=layer, pooling=pooling)
    normalised = as_input(network)

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        random = np.random.default_rng([seed, epoch, 1])
        for rows in sampler.batches(count, epoch):
            squares = np.stack([random_square(photos[row], side, random) for row in rows])
            yield normalised(squares), torch.from_numpy(ids[rows])

    def value(net: Any, batch: tuple[Any, Any]) -> Any:
        return loss.mined(net(batch[0]), miner, batch[1])

    # The last layer is of the classes that were learnt once: nothing here reaches it.
    reached = descriptor_parameters(descriptor)
    return train(descriptor, batches, value, parameters=reached, seed=seed, **options)


def descriptor_parameters(descriptor: Descriptor) -> list[Any]:
    """The parameters on which descriptors depend: those up to the layer, and of the pooling."""
    from kinfold.features.backbones.cut import cut

    return [*cut(descriptor.backbone, descriptor.layer).parameters(), *descriptor.pool.parameters()]
