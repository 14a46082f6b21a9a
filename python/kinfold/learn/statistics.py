"""Statistics of batch normalisation, taken anew from the photos that a network will see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.features.backbones.cut import cut
from kinfold.learn.augment import random_square
from kinfold.learn.inputs import as_input

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def calibrate(
    network: Any,
    photos: Sequence[Any],
    *,
    squares: int = 128,
    side: int = 224,
    batch: int = 16,
    seed: int = 0,
) -> Any:
    """Give a network's batch normalisation the mean and variance of random squares of photos; weights stay.

    For a network that was taught on something else than it will see, such as patches whose colours are hidden, and for
    one that was taught nothing: with the statistics that it is made with, its deeper maps hardly differ.

    network : of ``features.backbones``; changed in place
    photos : pixels uint8 (H, W, 3) or files; what cannot be read is passed over
    squares : how many, each of side x side pixels, see learn.augment
    batch : squares at a time, whose means and variances are averaged
    Returns the network, in inference mode.
    """
    count, size = as_count(squares, "squares", least=2), as_count(batch, "batch", least=2)
    random = np.random.default_rng([as_count(seed, "seed", least=0), 1])
    trunk = cut(network)
    norms = [m for m in trunk.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    taken: list[Any] = []
    turns = -(-count // max(1, len(photos)))
    for row in np.concatenate([random.permutation(len(photos)) for _ in range(turns)]):
        if len(taken) == count:
            break
        try:
            taken.append(random_square(photos[row], side, random))
        except ImageError:
            continue
    if norms and len(taken) < 2:
        raise ValueError(f"photos: expected some that can be read, got {len(taken)}")
    normalised = as_input(network)
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over batches
        norm.train()
    with torch.no_grad():
        for start in range(0, len(taken) - 1, size):
            trunk(normalised(np.stack(taken[start : start + size])))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return network.eval()
