"""AlexNet in one column (Krizhevsky, arXiv 1404.5997)."""

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


class AlexNet(nn.Module):  # type: ignore[misc]
    """AlexNet: 256 maps at stride 16 (conv5) or 32 (pool5), codes of 4096 (fc6, fc7) from 224 x 224 pixels."""

    layers: ClassVar[dict[str, Cut]] = {
        "conv5": Cut("features.11", 256),
        "pool5": Cut("features.12", 256, 63),
        "fc6": Cut("classifier.2", 4096, 224, codes=True),
        "fc7": Cut("classifier.5", 4096, 224, codes=True),
    }
    classifier_key = "classifier.6.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, classes),
        )

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return head_of(self.avgpool, self.classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
