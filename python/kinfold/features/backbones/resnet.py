"""ResNet-18, -50 and -101 (He, Zhang, Ren & Sun, CVPR 2016), with the stride in the 3 x 3 convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kinfold.base.extras import require
from kinfold.features.backbones.cut import Cut

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """What the input passes through beside the block, where shapes differ."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):  # type: ignore[misc]
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, inputs, h, w) to (n, width, h / stride, w / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):  # type: ignore[misc]
    """Narrow, 3 x 3 convolution, widen; and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, inputs, h, w) to (n, 4 width, h / stride, w / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):  # type: ignore[misc]
    """A residual network of four stages of so many blocks each."""

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    depths: ClassVar[tuple[int, int, int, int]]
    classifier_key = "fc.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        inputs = 64
        for stage, depth in enumerate(self.depths):
            width = 64 << stage
            blocks: list[nn.Module] = []
            for place in range(depth):
                stride = 2 if place == 0 and stage > 0 else 1
                blocks.append(self.block(inputs, width, stride))
                inputs = width * self.block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    @property
    def features(self) -> nn.Sequential:
        """All up to the last stage, sharing the parameters: whose names give it no name of its own."""
        return nn.Sequential(
            self.conv1, self.bn1, self.relu, self.maxpool,
            self.layer1, self.layer2, self.layer3, self.layer4,
        )  # fmt: skip

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": self.fc}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self.fc(self.features(x).mean((2, 3)))


def _layers(width: int) -> dict[str, Cut]:
    return {"conv5": Cut("layer4", width), "conv4": Cut("layer3", width // 2)}


class ResNet18(ResNet):
    """ResNet-18: 512 maps at stride 32."""

    block = BasicBlock
    depths = (2, 2, 2, 2)
    layers: ClassVar[dict[str, Cut]] = _layers(512)


class ResNet50(ResNet):
    """ResNet-50: 2048 maps at stride 32."""

    block = Bottleneck
    depths = (3, 4, 6, 3)
    layers: ClassVar[dict[str, Cut]] = _layers(2048)


class ResNet101(ResNet):
    """ResNet-101: 2048 maps at stride 32."""

    block = Bottleneck
    depths = (3, 4, 23, 3)
    layers: ClassVar[dict[str, Cut]] = _layers(2048)
