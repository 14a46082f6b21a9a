"""MobileNetV2 (Sandler et al., CVPR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kinfold.base.extras import require
from kinfold.features.backbones.cut import Cut, head_of

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn

# Expansion, output channels, blocks, stride of the first: table 2 of the paper.
_BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def _convolution(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):  # type: ignore[misc]
    """Widen, filter each channel, narrow; with a shortcut between the narrow ends."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [_convolution(inputs, wide, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            _convolution(wide, wide, 3, stride, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):  # type: ignore[misc]
    """MobileNetV2, width 1.0: 1280 maps at stride 32."""

    layers: ClassVar[dict[str, Cut]] = {"conv18": Cut("features.18", 1280)}
    classifier_key = "classifier.1.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers = [_convolution(3, 32, 3, stride=2)]
        inputs = 32
        for expansion, outputs, blocks, stride in _BLOCKS:
            for block in range(blocks):
                first = stride if block == 0 else 1
                layers.append(InvertedResidual(inputs, outputs, first, expansion))
                inputs = outputs
        layers.append(_convolution(inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return head_of(nn.AdaptiveAvgPool2d(1), self.classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))
