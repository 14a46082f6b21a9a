"""ALIKED: keypoints and descriptors by one small network that bends its view to the surface (Zhao et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinfold.base.errors import FileFormatError
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

# Sides of the image are continued to multiples of this.
_STRIDE = 32
# Keypoints are maxima of the scores in squares of 2 r + 1 pixels, and placed between pixels by a soft maximum there.
_RADIUS, _TEMPERATURE = 2, 0.1
# Places around a keypoint that are looked at, and the square that says where they lie.
_PLACES, _SQUARE = 16, 3


class ALIKED(NetworkExtractor):
    """ALIKED's keypoints and descriptors, of 64 (t16) or 128 (n16) dimensions; they turn with the photo by little.

    Parameters
    ----------
    weights : aliked-t16 or aliked-n16, as published or as safetensors
    max_features : at most this many, strongest first
    threshold : keypoints score above it, 0 to 1; 0.2 is what was published, 0.02 finds more where little is seen
    max_side : photos with a longer side are reduced first (pixels); None for none

    Zhao, Wu, Chen, Chen, Xu & Lee, IEEE Trans. Instrumentation and Measurement 2023. Keypoints are strict maxima.
    """

    name = "aliked"
    default_threshold = 0.02

    def made(self, weights: Sequence[Weights]) -> Network:
        tensors = weights[0].tensors
        names = (
            "block1.conv1.weight",
            "block2.conv1.weight",
            "block3.bn1.weight",
            "block4.bn1.weight",
        )
        if any(name not in tensors for name in names):
            raise FileFormatError("local_weights: not those of ALIKED")
        with torch.device("meta"):
            network = Network([len(tensors[name]) for name in names])
        fill(network, tensors, "ALIKED")
        return network

    def points(self, image: torch.Tensor) -> Points:
        features, scores = self.network(image)
        positions, strengths = keypoints(scores, self.threshold, self.max_features)
        return Points(positions, strengths, self.network.desc_head(features, positions))


@dataclass(frozen=True)
class Features:
    """A map of features that is never written out at the resolution of the image, where few of its pixels are read.

    parts : each (1, c, h, w), channels one behind the other, stretched to the continued image
    continued : height and width of the continued image
    inner : left, top, width and height of the image in it
    """

    parts: list[torch.Tensor]
    continued: tuple[int, int]
    inner: tuple[int, int, int, int]

    def at(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The features of whole pixels, n each, zero beyond the image: (d, n), of length one."""
        left, top, width, height = self.inner
        rows, columns = self.continued
        places = torch.stack(
            [2 * (x + left) / (columns - 1) - 1, 2 * (y + top) / (rows - 1) - 1], 1
        )
        read = [_sampled(part, places) for part in self.parts]
        within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return F.normalize(torch.cat(read), dim=0) * within

    def between(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Between four pixels, bilinear: (d, n)."""
        left, top = x.floor(), y.floor()
        right, down = x - left, y - top
        corners = self.at(
            torch.cat([left, left + 1, left, left + 1]), torch.cat([top, top, top + 1, top + 1])
        ).view(-1, 4, len(x))
        shares = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
        return (corners * torch.stack(shares)).sum(1)


class Network(nn.Module):  # type: ignore[misc]
    """From pixels to a map of features, and one of scores at the resolution of the pixels.

    widths : channels of the four blocks; the features have as many as the last
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.block1 = _Block(3, first, nn.Conv2d)
        self.block2 = _Residual(first, second, nn.Conv2d)
        self.block3 = _Residual(second, third, _Deformable)
        self.block4 = _Residual(third, fourth, _Deformable)
        for number, width in enumerate(widths, 1):
            setattr(self, f"conv{number}", nn.Conv2d(width, fourth // 4, 1, bias=False))
        self.score_head = nn.Sequential(
            nn.Conv2d(fourth, 8, 1, bias=False), nn.SELU(),
            nn.Conv2d(8, 4, 3, padding=1, bias=False), nn.SELU(),
            nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.SELU(),
            nn.Conv2d(4, 1, 3, padding=1, bias=False),
        )  # fmt: skip
        self.desc_head = _Head(fourth)

    def forward(self, image: torch.Tensor) -> tuple[Features, torch.Tensor]:
        """Image (1, 3, h, w) to features, and scores (1, 1, h, w) between 0 and 1."""
        height, width = image.shape[-2:]
        more_y, more_x = -height % _STRIDE, -width % _STRIDE
        left, top = more_x // 2, more_y // 2
        image = F.pad(image, (left, more_x - left, top, more_y - top), mode="replicate")
        rows, columns = image.shape[-2:]
        maps = [self.block1(image)]
        for block, step in ((self.block2, 2), (self.block3, 4), (self.block4, 4)):
            maps.append(block(F.avg_pool2d(maps[-1], step)))
        parts = [F.selu(getattr(self, f"conv{i}")(each)) for i, each in enumerate(maps, 1)]
        # The first layer of the scores sums over channels, and stretching is linear: little is stretched.
        sums = torch.zeros(())
        for part, weight in zip(parts, self.score_head[0].weight.chunk(4, 1)):
            narrow = F.conv2d(part, weight)
            sums = sums + F.interpolate(
                narrow, (rows, columns), mode="bilinear", align_corners=True
            )
        scores = torch.sigmoid(self.score_head[1:](sums))
        inside = scores[..., top : top + height, left : left + width]
        return Features(parts, (rows, columns), (left, top, width, height)), inside


class _Block(nn.Module):  # type: ignore[misc]
    """Two convolutions with batch normalisation."""

    def __init__(self, before: int, after: int, kind: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = kind(before, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = kind(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.selu(self.bn2(self.conv2(F.selu(self.bn1(self.conv1(x))))))


class _Residual(_Block):
    """The same, added to what came in."""

    def __init__(self, before: int, after: int, kind: type[nn.Module]) -> None:
        super().__init__(before, after, kind)
        self.downsample = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own = self.bn2(self.conv2(F.selu(self.bn1(self.conv1(x)))))
        return F.selu(own + self.downsample(x))


class _Deformable(nn.Module):  # type: ignore[misc]
    """A convolution of 3 x 3 whose nine places are moved, at each pixel, by what lies there (Dai et al., ICCV 2017)."""

    def __init__(self, before: int, after: int, side: int, *, padding: int, bias: bool) -> None:
        super().__init__()
        self.offset_conv = nn.Conv2d(before, 2 * side * side, side, padding=padding)
        self.regular_conv = nn.Conv2d(before, after, side, padding=padding, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, channels, height, width = x.shape
        weight = self.regular_conv.weight
        side = weight.shape[-1]
        most = max(height, width) / 4
        moved = self.offset_conv(x).clamp(-most, most).view(side * side, 2, height, width)
        kernel, rows, columns = (torch.arange(n, dtype=x.dtype) for n in (side, height, width))
        kernel = kernel - side // 2
        y = moved[:, 0] + kernel.repeat_interleave(side).view(-1, 1, 1) + rows.view(1, -1, 1)
        x_at = moved[:, 1] + kernel.repeat(side).view(-1, 1, 1) + columns.view(1, 1, -1)
        seen = _read(x, x_at.reshape(-1), y.reshape(-1)).view(channels * side * side, -1)
        return (weight.view(len(weight), -1) @ seen).view(1, -1, height, width)


class _Head(nn.Module):  # type: ignore[misc]
    """Descriptors of keypoints: from a square around each to places that are looked at, and what is there summed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.offset_conv = nn.Sequential(
            nn.Conv2d(width, 2 * _PLACES, _SQUARE),
            nn.SELU(),
            nn.Conv2d(2 * _PLACES, 2 * _PLACES, 1),
        )
        self.sf_conv = nn.Conv2d(width, width, 1, bias=False)
        self.agg_weights = nn.Parameter(torch.empty(_PLACES, width, width))

    def forward(self, features: Features, positions: torch.Tensor) -> torch.Tensor:
        """Positions (n, 2) in a map of features to descriptors (n, d) of length one."""
        n = len(positions)
        if not n:
            return positions.new_empty(0, self.agg_weights.shape[2])
        columns, rows = features.inner[2:]
        # The square lies in the map, one row and column short of its ends, as published.
        limits = torch.tensor([columns, rows]) - 1 - _SQUARE
        corner = torch.minimum((positions.long() - _SQUARE / 2 + 1).long().clamp(min=0), limits)
        steps = torch.arange(_SQUARE)
        x = (corner[:, 0, None, None] + steps).expand(n, _SQUARE, _SQUARE)
        y = (corner[:, 1, None, None] + steps[:, None]).expand(n, _SQUARE, _SQUARE)
        squares = features.at(x.reshape(-1), y.reshape(-1)).view(-1, n, _SQUARE, _SQUARE)
        most = max(rows, columns) / 4
        moved = self.offset_conv(squares.transpose(0, 1)).clamp(-most, most).view(n, 2, _PLACES)
        places = positions[:, :, None] + moved
        seen = features.between(places[:, 0].reshape(-1), places[:, 1].reshape(-1))
        seen = F.selu(self.sf_conv(seen.view(1, -1, n, _PLACES)))[0]
        summed = torch.einsum("cnp,pcd->nd", seen, self.agg_weights)
        return F.normalize(summed, dim=1)


def keypoints(
    scores: torch.Tensor, threshold: float, most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The strict maxima of a map (1, 1, h, w) above a threshold, strongest first: positions (n, 2), scores (n,)."""
    side = 2 * _RADIUS + 1
    _, _, height, width = scores.shape
    if min(height, width) <= side:
        return scores.new_empty(0, 2), scores.new_empty(0)
    rows = F.max_pool2d(scores, (1, side), 1, (0, _RADIUS))
    peak = F.max_pool2d(rows, (side, 1), 1, (_RADIUS, 0))[0, 0]
    chosen = (scores[0, 0] == peak) & (scores[0, 0] > threshold)
    inside = torch.zeros_like(chosen)
    inside[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS] = True
    y, x = (chosen & inside).nonzero(as_tuple=True)
    steps = torch.arange(side) - _RADIUS
    squares = scores[0, 0][y[:, None, None] + steps[:, None], x[:, None, None] + steps]
    # Of several that are equal, none is the maximum.
    strict = (squares == squares.amax((1, 2), keepdim=True)).sum((1, 2)) == 1
    y, x, squares = y[strict], x[strict], squares[strict]
    order = torch.sort(scores[0, 0, y, x], descending=True, stable=True).indices[:most]
    y, x, squares = y[order], x[order], squares[order]
    soft = torch.softmax(squares.flatten(1) / _TEMPERATURE, 1).view(squares.shape)
    across, down = (soft.sum(1) * steps).sum(1), (soft.sum(2) * steps).sum(1)
    positions = torch.stack([x + across, y + down], 1)
    return positions, _read(scores, positions[:, 0], positions[:, 1])[0]


def _read(maps: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Maps (1, c, h, w) between their pixels at n places, zero beyond them: (c, n)."""
    height, width = maps.shape[-2:]
    return _sampled(
        maps, torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], 1)
    )


def _sampled(maps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Maps (1, c, h, w) at places (n, 2), of -1 to 1 from the first pixel to the last: (c, n)."""
    return F.grid_sample(maps, places[None, None], align_corners=True)[0, :, 0]
