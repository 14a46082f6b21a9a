"""VGG-16 and VGG-19 (Simonyan & Zisserman, ICLR 2015; configurations D and E)."""

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

# Channels of the five stages, each followed by a maximum over 2 x 2.
_STAGES = (64, 128, 256, 512, 512)


class VGG(nn.Module):  # type: ignore[misc]
    """3 x 3 convolutions in five stages of so many each, and three fully connected layers."""

    depths: ClassVar[tuple[int, ...]]
    classifier_key = "classifier.6.weight"
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for channels, depth in zip(_STAGES, self.depths):
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]
                inputs = channels
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )

    @property
    def head(self) -> dict[str, nn.Module]:
        """From maps to class scores, sharing the parameters."""
        return head_of(self.avgpool, self.classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to class scores (n, classes)."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _layers(modules: int) -> dict[str, Cut]:
    return {
        "conv5": Cut(f"features.{modules - 2}", 512),
        "pool5": Cut(f"features.{modules - 1}", 512),
        "fc6": Cut("classifier.1", 4096, 224, codes=True),
        "fc7": Cut("classifier.4", 4096, 224, codes=True),
    }


class VGG16(VGG):
    """VGG-16: 512 maps at stride 16 (conv5_3) or 32 (pool5)."""

    depths = (2, 2, 3, 3, 3)
    layers: ClassVar[dict[str, Cut]] = _layers(31)


class VGG19(VGG):
    """VGG-19: 512 maps at stride 16 (conv5_4) or 32 (pool5)."""

    depths = (2, 2, 4, 4, 4)
    layers: ClassVar[dict[str, Cut]] = _layers(37)
