"""Neural codes fine-tuned as a classifier of classes like those that will be searched for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count, as_ids
from kinfold.base.extras import require
from kinfold.learn.augment import random_square
from kinfold.learn.head import head_of, with_classes
from kinfold.learn.inputs import as_input
from kinfold.learn.loop import History, train
from kinfold.learn.sampling import ClassBalanced

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# The last layer is new, and learns so much faster than the rest.
_HEAD = 10.0


def finetune_softmax(
    network: Any,
    photos: Sequence[Any],
    labels: Any,
    *,
    epochs: int = 10,
    batch: int = 32,
    photos_an_epoch: int | None = None,
    side: int = 224,
    rate: float = 1e-3,
    decay: float = 0.8,
    validate: Callable[[Any], float] | None = None,
    patience: int = 3,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    resume: bool = True,
    seed: int = 0,
    verbose: bool = True,
    **options: Any,
) -> History:
    """Replace a network's last layer by one for new classes, and learn them by softmax and cross-entropy.

    Babenko, Slesarev, Chigorin & Lempitsky, ECCV 2014, section 4: landmarks from 672 classes improve codes of
    landmarks. Classes are drawn equally often, photos cropped and mirrored at random.

    network : of ``features.backbones``, trained; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files, n of them
    labels : int (n,)    their classes
    photos_an_epoch : None for n
    validate, patience : see learn.loop; ``learn.validation.retrieval_score`` makes one: retrieval mAP on other photos
    folder, resume : where to keep checkpoints, and whether to go on from them
    architecture : name from ``features.backbones``, kept with the weights
    options : further ones of ``learn.loop.train``: momentum, weight_decay
    Returns the curves. The network then has the weights of the best score.
    """
    ids = as_ids(labels, "labels", n=len(photos))
    classes, targets = np.unique(ids, return_inverse=True)
    count = as_count(len(photos) if photos_an_epoch is None else photos_an_epoch, "photos_an_epoch")
    size, side = as_count(batch, "batch"), as_count(side, "side", least=32)
    device = next(network.parameters()).device
    with_classes(network, len(classes), seed=seed).to(device)
    sampler = ClassBalanced(targets, seed=seed)
    normalised = as_input(network)

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        random = np.random.default_rng([seed, epoch, 1])
        order = sampler.order(count, epoch)
        for start in range(0, count, size):
            rows = order[start : start + size]
            squares = np.stack([random_square(photos[row], side, random) for row in rows])
            yield normalised(squares), torch.from_numpy(targets[rows]).to(device)

    def loss(net: Any, pair: tuple[Any, Any]) -> Any:
        images, wanted = pair
        return torch.nn.functional.cross_entropy(net(images), wanted)

    head = list(head_of(network).parameters())
    own = {id(parameter) for parameter in head}
    body = [parameter for parameter in network.parameters() if id(parameter) not in own]
    return train(
        network, batches, loss, epochs=epochs,
        parameters=[{"params": body}, {"params": head, "lr": _HEAD}], rate=rate, decay=decay,
        validate=validate, patience=patience, folder=folder, architecture=architecture,
        resume=resume, seed=seed, verbose=verbose, **options,
    )  # fmt: skip
