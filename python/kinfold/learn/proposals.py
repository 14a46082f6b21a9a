"""Region proposals learnt from one box a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.features.backbones.cut import cut, where
from kinfold.features.batches import fitted
from kinfold.features.forward import large_enough
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.proposals.boxes import as_moves, iou
from kinfold.features.proposals.network import RegionProposals
from kinfold.learn.inputs import as_input
from kinfold.learn.loop import History, train

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def with_proposals(pooling: LearntRMAC, *, seed: int = 0, **options: Any) -> LearntRMAC:
    """The same R-MAC over proposals, which have learnt nothing yet, instead of its regions.

    options : of ``RegionProposals``: keep, hidden, sizes, ratios, overlap
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(as_count(seed, "seed", least=0))
        made = LearntRMAC(**pooling.options() | {"proposals": options})
    made.layer.load_state_dict(pooling.layer.state_dict())
    return made.to(pooling.layer.weight.device)


def train_proposals(
    network: Any,
    proposals: RegionProposals,
    photos: Sequence[Any],
    boxes: Any,
    *,
    layer: str | None = None,
    max_side: int = 448,
    positive: float = 0.7,
    negative: float = 0.3,
    epochs: int = 10,
    batch: int = 8,
    rate: float = 1e-3,
    optimiser: str = "adam",
    schedule: str = "cosine",
    seed: int = 0,
    **options: Any,
) -> History:
    """Learn which regions of a network's maps show the object, from the box of each photo; the network stays as it is.

    Ren, He, Girshick & Sun, NIPS 2015, section 3.1; with boxes that matches gave, and no other part of the network
    learnt: Gordo, Almazan, Revaud & Larlus, ECCV 2016, section 3.3.

    network : of ``features.backbones``, trained, on the device on which ``proposals`` are too
    proposals : trained; changed in place
    photos : pixels uint8 (H, W, 3) or files, n of them
    boxes : (n, 4), x0, y0, x1, y1 in shares of each photo's width and height; photos whose box is NaN are left out
    layer : where the network is cut, a name from its ``layers``; None for its first
    max_side : larger photos are reduced to this. Photos are mirrored every other time
    positive, negative : overlaps from which on an anchor is one, and below which it is none, see proposal_loss
    batch : photos that make a step
    options : of ``learn.loop.train``: validate, folder, resume, ...
    Returns the curves. The proposals then have the weights of the best score.
    """
    shares = _boxes(boxes, len(photos))
    most, size = as_count(max_side, "max_side", least=32), as_count(batch, "batch")
    above = as_number(positive, "positive", least=0, most=1)
    below = as_number(negative, "negative", least=0, most=above)
    rows = np.flatnonzero(np.isfinite(shares).all(1))
    if not len(rows):
        raise ValueError("boxes: expected the box of one photo at least, got none")
    seen = maps_of(network, layer=layer, max_side=most)

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        random = np.random.default_rng([as_count(seed, "seed", least=0), epoch, 1])
        for row in random.permutation(rows):
            mirrored = random.random() < 0.5
            x0, y0, x1, y1 = shares[row]
            box = [1 - x1, y0, 1 - x0, y1] if mirrored else [x0, y0, x1, y1]
            yield seen(photos[row], mirrored), torch.tensor([box], dtype=torch.float32)

    def value(net: RegionProposals, given: tuple[Any, Any]) -> Any:
        maps, box = given
        height, width = maps.shape[-2:]
        cells = (box * torch.tensor([width, height, width, height])).to(maps)
        return proposal_loss(
            *net.answers(maps), net.anchors(height, width).to(maps), cells, above, below
        )

    return train(
        proposals, batches, value, epochs=epochs, rate=rate, optimiser=optimiser, schedule=schedule,
        accumulate=size, seed=seed, **options,
    )  # fmt: skip


def proposal_loss(
    scores: torch.Tensor,
    moves: torch.Tensor,
    anchors: torch.Tensor,
    boxes: torch.Tensor,
    positive: float = 0.7,
    negative: float = 0.3,
) -> torch.Tensor:
    """How wrong the answers of a region proposal network are: the mean over n images.

    scores, moves : (n, m) and (n, m, 4), of its anchors (m, 4)
    boxes : (n, 4), where the object of each image is
    positive : anchors that overlap the box by more show the object, and the one that overlaps it most
    negative : those that overlap it by less do not; between the two nothing is asked
    Binary cross-entropy, the mean of that over positives and that over negatives: what drawing as many of either gives
    on average. And the smooth L1 distance of the moves of positives to those that bring them to the box.
    """
    overlap = iou(anchors, boxes.unsqueeze(1))
    best = overlap.amax(1, keepdim=True)
    shows = (overlap > positive) | ((overlap == best) & (best > 0))
    not_ = (overlap < negative) & ~shows
    cost = torch.nn.functional.binary_cross_entropy_with_logits(
        scores, shows.to(scores), reduction="none"
    )
    wanted = as_moves(boxes.unsqueeze(1), anchors)
    apart = torch.nn.functional.smooth_l1_loss(moves, wanted, reduction="none").sum(-1)
    told = (_mean(cost, shows) + _mean(cost, not_)) / 2 + _mean(apart, shows)
    return told.mean()


def overlap_score(
    network: Any,
    photos: Sequence[Any],
    boxes: Any,
    *,
    layer: str | None = None,
    max_side: int = 448,
) -> Callable[[Any], float]:
    """A function proposals -> how well their best region covers the object, the mean over photos: for ``validate``.

    boxes : (n, 4), in shares of each photo's width and height; photos whose box is NaN are not asked
    """
    shares = _boxes(boxes, len(photos))
    seen = maps_of(network, layer=layer, max_side=max_side)
    rows = np.flatnonzero(np.isfinite(shares).all(1))

    def score(proposals: Any) -> float:
        found = []
        for row in rows.tolist():
            maps = seen(photos[row], False)
            regions, there = proposals(maps)
            cells = torch.tensor([*maps.shape[:1:-1]] * 2, dtype=torch.float32)
            wanted = torch.from_numpy(shares[row]).float() * cells
            overlaps = iou(regions[0].cpu(), wanted) * there[0].cpu()
            found.append(float(overlaps.max()))
        return float(np.mean(found)) if found else 0.0

    return score


def maps_of(network: Any, *, layer: str | None, max_side: int) -> Callable[[Any, bool], Any]:
    """A function (photo, mirrored) -> its maps (1, k, h, w), without gradients."""
    part = cut(network, layer).eval()
    least = where(network, layer)[1].least_side
    normalised = as_input(network)

    def seen(photo: Any, mirrored: bool) -> Any:
        pixels = fitted(photo, max_side)
        pixels = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
        with torch.no_grad():
            return part(large_enough(normalised(pixels[None]), least))

    return seen


def _mean(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Of the chosen of each row; 0 of none."""
    return (values * chosen).sum(1) / chosen.sum(1).clamp(min=1)


def _boxes(boxes: Any, n: int) -> NDArray[np.float64]:
    array = np.array(boxes, dtype=np.float64)
    if array.shape != (n, 4):
        raise ValueError(f"boxes: expected one for each of {n} photos, got shape {array.shape}")
    there = array[np.isfinite(array).all(1)]
    if (there[:, 2:] <= there[:, :2]).any() or (there < -1e-6).any() or (there > 1 + 1e-6).any():
        raise ValueError(
            "boxes: expected x0, y0, x1, y1 in shares of the photo's sides, from 0 to 1"
        )
    return array
