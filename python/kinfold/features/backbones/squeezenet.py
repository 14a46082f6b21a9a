"""SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360; release 1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kinfold.base.extras import require
from kinfold.features.backbones.cut import Cut, numbered

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn


class Fire(nn.Module):  # type: ignore[misc]
    """A squeeze to few channels, then 1 x 1 and 3 x 3 convolutions side by side."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, inputs, h, w) to (n, 2 expand, h, w)."""
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):  # type: ignore[misc]
    """SqueezeNet 1.1: 512 maps at stride 16."""

    layers: ClassVar[dict[str, Cut]] = {"fire9": Cut("features.12", 512)}
    classifier_key = "classifier.1.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return {**numbered("classifier", self.classifier), "flatten": nn.Flatten()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return torch.flatten(self.classifier(self.features(x)), 1)
