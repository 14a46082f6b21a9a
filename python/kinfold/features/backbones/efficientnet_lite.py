"""EfficientNet-Lite (Tan & Le, ICML 2019; release "lite", 2020), with the parameter names of its PyTorch conversion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from kinfold.base.extras import require
from kinfold.features.backbones.cut import Cut

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn

# Expansion, output channels, blocks, stride of the first, kernel: table 1 of the paper.
_BLOCKS = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip
_STEM, _HEAD = 32, 1280
# Those of the published weights.
_EPSILON = 1e-3


class Block(nn.Module):  # type: ignore[misc]
    """Widen, filter each channel, narrow; with a shortcut between the narrow ends."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion != 1:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._widens = expansion != 1
        same = kernel // 2 if stride == 1 else 0
        self.pad = nn.Identity() if same else _padding(kernel)
        self._depthwise_conv = nn.Conv2d(
            wide, wide, kernel, stride, padding=same, groups=wide, bias=False
        )
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self.relu6 = nn.ReLU6()
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = self.relu6(self._bn0(self._expand_conv(x))) if self._widens else x
        y = self.relu6(self._bn1(self._depthwise_conv(self.pad(y))))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite(nn.Module):  # type: ignore[misc]
    """1280 maps at stride 32, of wider and deeper networks from 0 to 4.

    Images are continued by zeros as TensorFlow does it for sides that are multiples of 32.
    """

    width: ClassVar[float]
    depth: ClassVar[float]
    layers: ClassVar[dict[str, Cut]] = {"head": Cut("relu6", _HEAD)}
    classifier_key = "_fc.weight"
    # 127 and 128 of 255.
    mean = (127 / 255, 127 / 255, 127 / 255)
    std = (128 / 255, 128 / 255, 128 / 255)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.pad = _padding(3)
        self._conv_stem = nn.Conv2d(3, _STEM, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        self.stem_relu6 = nn.ReLU6()
        blocks: list[nn.Module] = []
        inputs = _STEM
        for stage, (expansion, channels, count, stride, kernel) in enumerate(_BLOCKS):
            outputs = _widened(channels, self.width)
            # The first stage and the last one are as deep as ever.
            ends = stage in (0, len(_BLOCKS) - 1)
            for number in range(count if ends else math.ceil(count * self.depth)):
                first = stride if number == 0 else 1
                blocks.append(Block(inputs, outputs, first, expansion, kernel))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inputs, _HEAD, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(_HEAD, eps=_EPSILON)
        self.relu6 = nn.ReLU6()
        self._fc = nn.Linear(_HEAD, classes)

    @property
    def features(self) -> nn.Sequential:
        """All up to the maps, sharing the parameters: whose names give it no name of its own."""
        return nn.Sequential(
            self.pad, self._conv_stem, self._bn0, self.stem_relu6, *self._blocks,
            self._conv_head, self._bn1, self.relu6,
        )  # fmt: skip

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "_fc": self._fc}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self._fc(self.features(x).mean((2, 3)))


class EfficientNetLite0(EfficientNetLite):
    """The smallest, made for images of 224 pixels."""

    width, depth = 1.0, 1.0


class EfficientNetLite1(EfficientNetLite):
    """For images of 240 pixels."""

    width, depth = 1.0, 1.1


class EfficientNetLite2(EfficientNetLite):
    """For images of 260 pixels."""

    width, depth = 1.1, 1.2


def _padding(kernel: int) -> nn.Module:
    """Zeros around maps of even sides before a stride of 2, for half as many places: one more behind than before."""
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return nn.ZeroPad2d((before, after, before, after))


def _widened(channels: int, width: float) -> int:
    """A number of channels times the width, a multiple of 8, no more than a tenth below."""
    wide = channels * width
    rounded = max(8, int(wide + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wide else rounded
