"""XFeat: keypoints and descriptors by a network that is cheap on a CPU (Potje et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.features.weights import Weights, fill
from kinfold.local.extractors.base import NetworkExtractor, Points

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional as F
else:
    torch = require("torch")
    nn, F = torch.nn, torch.nn.functional

# Sides of what the network sees are multiples of this; keypoints are found in cells of so many pixels.
_STRIDE, _CELL = 32, 8
# Keypoints are maxima of the scores in squares of this side.
_SQUARE = 5
# What names of its tensors begin with in a file that holds the matcher beside it.
_BESIDE = "extractor.model.net."
# The part of the published weights that refines dense matches: not used here.
_UNUSED = "fine_matcher."


class XFeat(NetworkExtractor):
    """XFeat's keypoints and descriptors of 64 dimensions, one scale, upright.

    Parameters
    ----------
    weights : as published, alone or with LighterGlue, or as safetensors
    max_features : at most this many, strongest first
    threshold : of the probability that a keypoint lies at a pixel, 0 to 1; 0.05 by default, as published
    max_side : photos with a longer side are reduced first (pixels); None for none

    Potje, Cadar, Araujo, Martins & Nascimento, CVPR 2024.
    """

    name = "xfeat"
    default_threshold = 0.05

    def made(self, weights: Sequence[Weights]) -> Network:
        tensors = weights[0].tensors
        if any(name.startswith(_BESIDE) for name in tensors):
            tensors = {
                name.removeprefix(_BESIDE): tensor
                for name, tensor in tensors.items()
                if name.startswith(_BESIDE)
            }
        tensors = {name: t for name, t in tensors.items() if not name.startswith(_UNUSED)}
        with torch.device("meta"):
            network = Network()
        fill(network, tensors, "XFeat")
        return network

    def points(self, image: torch.Tensor) -> Points:
        height, width = image.shape[-2:]
        size = tuple(max(_STRIDE, side // _STRIDE * _STRIDE) for side in (height, width))
        seen = F.interpolate(image, size, mode="bilinear", align_corners=False)
        features, cells, reliable = self.network(seen)
        scores = _to_pixels(torch.softmax(cells, 1)[:, :-1])
        peak = F.max_pool2d(scores, _SQUARE, 1, _SQUARE // 2)
        y, x = ((scores == peak) & (scores > self.threshold))[0, 0].nonzero(as_tuple=True)
        places = torch.stack([x, y], 1).float()
        strength = (
            _at(scores, places, size, "nearest")[0] * _at(reliable, places, size, "bilinear")[0]
        )
        # The published code gives keypoints at the first pixel no score.
        strength[(places == 0).all(1)] = -1
        order = torch.sort(strength, descending=True, stable=True).indices[: self.max_features]
        order = order[strength[order] > 0]
        places = places[order]
        found = _at(F.normalize(features, dim=1), places, size, "bicubic")
        factors = torch.tensor([width / size[1], height / size[0]])
        return Points((places + 0.5) * factors - 0.5, strength[order], F.normalize(found, dim=0).T)


class Network(nn.Module):  # type: ignore[misc]
    """From pixels to features and their reliability, one each 8 x 8 pixels, and to where in these a keypoint is."""

    def __init__(self) -> None:
        super().__init__()
        self.skip1 = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(1, 24, 1))
        self.block1 = _layers(1, (4, 3, 1), (8, 3, 2), (8, 3, 1), (24, 3, 2))
        self.block2 = _layers(24, (24, 3, 1), (24, 3, 1))
        self.block3 = _layers(24, (64, 3, 2), (64, 3, 1), (64, 1, 1))
        self.block4 = _layers(64, (64, 3, 2), (64, 3, 1), (64, 3, 1))
        self.block5 = _layers(64, (128, 3, 2), (128, 3, 1), (128, 3, 1), (64, 1, 1))
        self.block_fusion = _layers(64, (64, 3, 1), (64, 3, 1)).append(nn.Conv2d(64, 64, 1))
        self.heatmap_head = _layers(64, (64, 1, 1), (64, 1, 1)).append(nn.Conv2d(64, 1, 1))
        self.keypoint_head = _layers(64, (64, 1, 1), (64, 1, 1), (64, 1, 1))
        self.keypoint_head.append(nn.Conv2d(64, _CELL**2 + 1, 1))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Image (1, 3, h, w) to features (1, 64, h/8, w/8), scores of the places in each cell and of none
        (1, 65, h/8, w/8), and reliability (1, 1, h/8, w/8)."""
        # Its variance is that of pixels of 0 to 255, beside which the published eps is nothing.
        grey = F.instance_norm(255 * image.mean(1, keepdim=True))
        second = self.block2(self.block1(grey) + self.skip1(grey))
        third = self.block3(second)
        fourth = self.block4(third)
        fifth = self.block5(fourth)
        size = third.shape[-2:]
        summed = third + sum(
            F.interpolate(part, size, mode="bilinear", align_corners=False)
            for part in (fourth, fifth)
        )
        features = self.block_fusion(summed)
        cells = self.keypoint_head(F.pixel_unshuffle(grey, _CELL))
        return features, cells, torch.sigmoid(self.heatmap_head(features))


class _Layer(nn.Module):  # type: ignore[misc]
    """A convolution, normalised, rectified."""

    def __init__(self, before: int, after: int, side: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(before, after, side, stride, side // 2, bias=False),
            nn.BatchNorm2d(after, affine=False),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def _layers(before: int, *each: tuple[int, int, int]) -> nn.Sequential:
    """Layers of so many channels, with such a side and stride, one after the other."""
    made = []
    for after, side, stride in each:
        made.append(_Layer(before, after, side, stride))
        before = after
    return nn.Sequential(*made)


def _to_pixels(cells: torch.Tensor) -> torch.Tensor:
    """Scores of the places in cells (1, 64, h, w) to those of pixels (1, 1, 8 h, 8 w)."""
    return F.pixel_shuffle(cells, _CELL)


def _at(maps: torch.Tensor, places: torch.Tensor, size: tuple[int, ...], mode: str) -> torch.Tensor:
    """Maps (1, c, h, w) at places (n, 2) of an image of that height and width: (c, n).

    As published: first and last pixel are taken for the borders of the map, which moves places by half of one at most.
    """
    grid = 2 * places / torch.tensor([size[1] - 1, size[0] - 1]) - 1
    return F.grid_sample(maps, grid[None, None], mode=mode, align_corners=False)[0, :, 0]
