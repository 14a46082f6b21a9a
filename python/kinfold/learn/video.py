"""Descriptors learnt from what moves in videos: a thing looks like itself half a second later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.images.luma import luma
from kinfold.images.resize import Pixels
from kinfold.learn.augment import random_square
from kinfold.learn.head import with_classes
from kinfold.learn.inputs import as_input
from kinfold.learn.loop import History, train
from kinfold.learn.losses.cosine_triplet import CosineTripletLoss
from kinfold.learn.mine.across_pairs import AcrossPairs
from kinfold.learn.mine.tracks import TrackedPairs

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def train_video(
    network: Any,
    pairs: TrackedPairs,
    *,
    dim: int = 128,
    epochs: int = 30,
    random_epochs: int | None = None,
    batch: int = 50,
    side: int = 96,
    grey: float = 0.0,
    negatives: int = 4,
    apart: int | None = None,
    margin: float = 0.5,
    optimiser: str = "adam",
    rate: float = 1e-3,
    weight_decay: float = 5e-4,
    statistics: bool = True,
    validate: Callable[[Any], float] | None = None,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    resume: bool = True,
    seed: int = 0,
    verbose: bool = True,
    **options: Any,
) -> History:
    """Learn a network from pairs that were followed in videos, by a triplet loss of cosine distances.

    Wang & Gupta, ICCV 2015, section 4: of each pair either patch is an anchor and the other its positive; negatives
    are patches of other pairs of the batch, random ones first, then the hardest. Patches are cropped and mirrored at
    random. The last layer is replaced by one of ``dim`` numbers, which serves the training alone; descriptors are those
    of the layers below it.

    network : of ``features.backbones``; changed in place, on the device on which it is
    pairs : of ``learn.mine.tracks.mine_tracks``
    random_epochs : how many epochs have random negatives; None for half of them
    batch : pairs at a time
    side : of the patches that the network sees; they are cut from 8/7 of it
    grey : how many of the patches are shown without their colours, as a share; the authors' second network saw no
        others. With few videos colours alone tell them apart
    negatives : of each anchor
    apart : frames after which a track of the same video counts as something else; None for never: negatives are
        of other videos
    margin : of the loss, see learn.losses
    optimiser, rate, weight_decay, statistics, validate, folder, architecture, resume : see learn.loop
    options : further ones of ``learn.loop.train``
    Returns the curves. ValueError where there are no pairs, or none that show different things.
    """
    size, side = as_count(batch, "batch", least=2), as_count(side, "side", least=32)
    gap = None if apart is None else as_count(apart, "apart")
    count = as_count(epochs, "epochs")
    first_hard = (
        count // 2 if random_epochs is None else as_count(random_epochs, "random_epochs", least=0)
    )
    _check(pairs, gap)
    colourless = as_number(grey, "grey", least=0, most=1)
    device = next(network.parameters()).device
    with_classes(network, dim, seed=seed).to(device)
    normalised = as_input(network)
    measured = CosineTripletLoss(margin)
    easy, hard = (AcrossPairs(negatives, hardest=hardest) for hardest in (False, True))

    def batches(epoch: int) -> Iterator[tuple[Any, ...]]:
        random = np.random.default_rng([seed, epoch, 1])
        order = random.permutation(len(pairs))
        for start in range(0, len(order) - 1, size):
            rows = order[start : start + size]
            squares = np.stack(
                [
                    [
                        random_square(patch, side, random)
                        for patch in (pairs.first[row], pairs.last[row])
                    ]
                    for row in rows
                ]
            )
            squares = _without_colours(squares, random.random(squares.shape[:2]) < colourless)
            yield (
                torch.from_numpy(squares),
                pairs.videos[rows],
                pairs.frames[rows],
                epoch >= first_hard,
            )

    def loss(net: Any, of: tuple[Any, ...]) -> Any:
        squares, videos, frames, is_hard = of
        descriptors = net(normalised(squares.transpose(0, 1).flatten(0, 1)))
        miner = hard if is_hard else easy
        return measured.mined(descriptors, miner, _different(videos, frames, gap))

    return train(
        network, batches, loss, epochs=count, optimiser=optimiser, rate=rate,
        weight_decay=weight_decay, statistics=statistics, validate=validate, folder=folder,
        architecture=architecture, resume=resume, seed=seed, verbose=verbose, **options,
    )  # fmt: skip


def _different(videos: Any, frames: Any, apart: int | None) -> Any:
    """Whether tracks show different things: bool (n, n)."""
    other = videos[:, None] != videos
    if apart is None:
        return other
    starts = frames[:, 0]
    return other | (np.abs(starts[:, None] - starts) >= apart)


def _without_colours(squares: Pixels, grey: NDArray[np.bool_]) -> Pixels:
    """Some of the squares uint8 (n, 2, side, side, 3) as their luma."""
    squares[grey] = np.rint(luma(squares[grey]))[..., None].astype(np.uint8)
    return squares


def _check(pairs: TrackedPairs, apart: int | None) -> None:
    if not len(pairs):
        raise ValueError(
            "pairs: expected some, got none: nothing in the videos moves so that it can be followed"
        )
    if not _different(pairs.videos, pairs.frames, apart).any():
        raise ValueError(
            f"pairs: expected some that show different things, got {len(pairs)} of one video: give more videos, or "
            "apart, the frames after which one shows something else"
        )
