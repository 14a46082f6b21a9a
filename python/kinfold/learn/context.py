"""Context prediction: a network learns from photos without labels, by telling where one patch lies from another."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.features.backbones.cut import cut
from kinfold.features.shapes import shape_of
from kinfold.learn.aberration import PROJECTION
from kinfold.learn.checkpoint import save_weights
from kinfold.learn.loop import History, train
from kinfold.learn.losses.context import ContextLoss
from kinfold.learn.patches import (
    OFFSETS,
    PIXELS,
    Grid,
    PairBatch,
    PatchPairs,
    at_working_size,
    none_of_use,
)
from kinfold.learn.statistics import calibrate

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn

# Pairs on whose accuracy the epochs are compared; fewer would blur a hundredth.
_HELD_OUT_PAIRS = 1024


class ContextNetwork(nn.Module):  # type: ignore[misc]
    """On which side of a patch another lies: one trunk and fc6 for each of the two, fc7 for both together.

    Doersch, Gupta & Efros, ICCV 2015, figure 3; fc6 and fc7 are batch-normalised without scale and shift.

    backbone : of ``features.backbones``; its trunk is what learns
    side : of the patches
    fc6, fc7 : lengths of the code of a patch and of that of a pair
    """

    def __init__(self, backbone: Any, *, side: int = 96, fc6: int = 512, fc7: int = 512) -> None:
        super().__init__()
        self.backbone = backbone
        width = math.prod(shape_of(cut(backbone), (1, 3, side, side))[1:])
        self.fc6 = nn.Sequential(nn.Flatten(), *_dense(width, as_count(fc6, "fc6")))
        self.fc7 = nn.Sequential(*_dense(2 * fc6, as_count(fc7, "fc7")))
        self.fc8 = nn.Linear(fc7, len(OFFSETS))

    def codes(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (n, 3, side, side), centred, in grey levels, to fc6 (n, d)."""
        scale = patches.new_tensor(self.backbone.std).view(1, 3, 1, 1) * 255
        return self.fc6(cut(self.backbone)(patches / scale))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (n, 1 + k, 3, side, side), each with k others, to scores of the others' positions (n, k, 8)."""
        # Each patch once, and all together, so that batch normalisation sees what they have in common.
        codes = self.codes(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        first = codes[:, :1].expand(-1, codes.shape[1] - 1, -1)
        pairs = torch.cat([first, codes[:, 1:]], 2)
        return self.fc8(self.fc7(pairs.flatten(0, 1))).unflatten(0, pairs.shape[:2])


@dataclass(frozen=True)
class ContextPrediction:
    """What came of a training.

    history : the curves; scores are shares of held-out pairs whose position was told
    network : predicts positions, and has the codes fc6
    accuracy : of the weights that were kept, on held-out photos; an eighth is chance
    left_out : photos that could not be learnt from, by their place, and why
    """

    history: History
    network: ContextNetwork
    accuracy: float
    left_out: dict[int, str]


def context_prediction(
    network: Any,
    photos: Sequence[Any],
    *,
    held_out: Sequence[Any] | None = None,
    epochs: int = 10,
    batch: int = 128,
    pairs_an_epoch: int = 8192,
    neighbours: int = 8,
    colour: str = "projection",
    rate: float = 1e-3,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    memory: int = 1 << 30,
    seed: int = 0,
    verbose: bool = True,
    **options: Any,
) -> ContextPrediction:
    """Teach a network, from nothing and without labels, where one patch of a photo lies from another.

    Doersch, Gupta & Efros, ICCV 2015. In the end ``network`` is a trunk for whole photos: what was hidden of colours in
    training is folded into its first layer, and batch normalisation has the statistics of whole photos.

    network : of ``features.backbones``, batch-normalised; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files
    held_out : photos on which accuracy is measured after each epoch; None for a tenth of the photos
    batch : pairs at a time
    neighbours : pairs that each first patch is in, see learn.patches
    colour : what hides chromatic aberration: "projection", "drop" or "keep", see learn.aberration
    folder, architecture : where to keep checkpoints, and the name that is kept with the weights, see learn.loop
    memory : bytes of decoded photos
    options : further ones of ``learn.loop.train``: precision, weight_decay, resume, ...
    Raises ValueError where there are too few photos, or none in which nine patches fit.
    """
    count, size = as_count(pairs_an_epoch, "pairs_an_epoch"), as_count(batch, "batch", least=2)
    ours, theirs = _parted(photos, seed) if held_out is None else (range(len(photos)), ())
    asked = [photos[row] for row in theirs] if held_out is None else held_out
    if not len(asked):
        raise ValueError("held_out: expected at least one photo, or None")
    taught = [photos[row] for row in ours]
    pairs = PatchPairs(taught, neighbours=neighbours, colour=colour, memory=memory, seed=seed)
    tested = PatchPairs(asked, colour=colour, memory=memory, seed=seed)
    test = list(tested.batches(0, count=_HELD_OUT_PAIRS, batch=size))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learner = ContextNetwork(copy.deepcopy(network), side=pairs.grid.patch)
    device = next(network.parameters()).device
    learner = learner.to(device, memory_format=torch.channels_last)
    criterion = ContextLoss()

    def loss(net: Any, drawn: PairBatch) -> Any:
        patches, positions = tensors(drawn, device)
        return criterion(net(patches).float().flatten(0, 1), positions.flatten())

    history = train(
        learner, lambda epoch: pairs.batches(epoch, count=count, batch=size), loss, epochs=epochs,
        validate=lambda net: accuracy(net, test), statistics=True, folder=folder,
        architecture=architecture, seed=seed, verbose=verbose,
        **{"optimiser": "adamw", "schedule": "cosine", "rate": rate, "patience": epochs, **options},
    )  # fmt: skip
    network.load_state_dict(learner.backbone.state_dict())
    if colour == "projection":
        fold_projection(network)
    calibrate(network, taught, seed=seed)
    if folder is not None:
        save_weights(Path(folder) / "best.safetensors", network, architecture)
    left_out = {ours[row]: reason for row, reason in sorted(pairs.left_out.items())}
    return ContextPrediction(history, learner, accuracy(learner, test), left_out)


def tensors(drawn: PairBatch, device: Any = "cpu") -> tuple[Any, Any]:
    """A batch as torch takes it: patches float32 (n, 1 + k, 3, s, s), positions int64 (n, k)."""
    patches, positions = (torch.from_numpy(part).to(device) for part in drawn)
    return patches.permute(0, 1, 4, 2, 3), positions


def accuracy(network: ContextNetwork, drawn: Iterable[PairBatch]) -> float:
    """The share of pairs whose position has the best score."""
    device = next(network.parameters()).device
    told = asked = 0
    network.eval()
    with torch.inference_mode():
        for batch in drawn:
            patches, positions = tensors(batch, device)
            told += int((network(patches).argmax(2) == positions).sum())
            asked += positions.numel()
    return told / asked


def fold_projection(network: Any) -> Any:
    """Let a network see whole colours as one that was taught on projected ones: B goes into its first convolution.

    network : of ``features.backbones``; changed in place. Its pixels then are less the mean of all photos, where those
        of a patch were less their own.
    """
    first = next(m for m in cut(network).modules() if isinstance(m, nn.Conv2d))
    weight = first.weight
    std = torch.tensor(network.std, dtype=weight.dtype, device=weight.device)
    # Pixels come divided by std, and the projection is of grey levels.
    projection = torch.from_numpy(PROJECTION).to(weight) * std[None, :] / std[:, None]
    with torch.no_grad():
        weight.copy_(torch.einsum("ocij,cd->odij", weight, projection))
    return network


def _dense(inputs: int, outputs: int) -> tuple[Any, ...]:
    linear = nn.Linear(inputs, outputs, bias=False)
    return linear, nn.BatchNorm1d(outputs, affine=False), nn.ReLU()


def _parted(photos: Sequence[Any], seed: int) -> tuple[list[int], list[int]]:
    """Rows of photos that are learnt from, and of a tenth that are asked about and are of use for it."""
    if len(photos) < 10:
        raise ValueError(
            f"photos: expected at least 10, a tenth of which is held out, got {len(photos)}"
        )
    asked: list[int] = []
    order = np.random.default_rng([as_count(seed, "seed", least=0), 2]).permutation(len(photos))
    for row in map(int, order):
        try:
            at_working_size(photos[row], Grid(), PIXELS[1])
        except ImageError as error:
            refused = none_of_use(len(photos), photos[row], str(error))
            continue
        asked.append(row)
        if len(asked) == len(photos) // 10:
            break
    if not asked:
        raise refused
    return sorted(set(range(len(photos))) - set(asked)), sorted(asked)
