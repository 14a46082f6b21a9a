"""A small network of our own for what is learnt from nothing on an ordinary processor."""

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

# Side, output channels, stride of each convolution.
_CONVOLUTIONS = ((5, 32, 2), (3, 64, 2), (3, 96, 2), (3, 128, 2), (3, 128, 1))


class Compact(nn.Module):  # type: ignore[misc]
    """Five convolutions in the order of AlexNet's, batch-normalised: 128 maps at stride 16.

    A patch of 96 pixels gives maps of 6 x 6 for 33 million multiplications, a twentieth of AlexNet's.
    """

    layers: ClassVar[dict[str, Cut]] = {"conv5": Cut("features.14", 128)}
    classifier_key = "classifier.1.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for size, outputs, stride in _CONVOLUTIONS:
            layers += [
                nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(inputs, classes))

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return head_of(nn.AdaptiveAvgPool2d(1), self.classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))
