"""A small network, and stripes in random colours whose direction is their class."""

from __future__ import annotations

import numpy as np
import torch

from kinfold.features.backbones.cut import Cut


class Small(torch.nn.Module):
    layers = {"conv2": Cut("features.4", 12)}  # noqa: RUF012
    classifier_key = "classifier.1.weight"
    mean = (0.5, 0.5, 0.5)
    std = (0.25, 0.25, 0.25)

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 5, stride=2),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 12, 3, stride=2),
            torch.nn.ReLU(),
        )
        self.classifier = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(12, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def small(seed: int = 0) -> Small:
    torch.manual_seed(seed)
    return Small().eval()


def stripes(counts: list[int], seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """So many photos (40, 40, 3) of each direction; photos and labels."""
    random = np.random.default_rng(seed)
    photos, labels = [], []
    y, x = np.mgrid[:40, :40]
    # Directions that mirroring left to right does not exchange.
    angles = (0.0, np.pi / 2, np.pi / 4, np.pi / 8)
    for label, count in enumerate(counts):
        for _ in range(count):
            wave = np.sin(
                (np.cos(angles[label]) * x + np.sin(angles[label]) * y) * 1.2 + random.uniform(0, 6)
            )
            colours = random.uniform(0, 255, (2, 3))
            mixed = colours[0] + (wave[..., None] + 1) / 2 * (colours[1] - colours[0])
            photos.append(
                np.clip(mixed + random.normal(0, 8, mixed.shape), 0, 255).astype(np.uint8)
            )
            labels.append(label)
    return photos, np.array(labels)
