"""Small networks from pictures to a few coordinates, as Hadsell, Chopra & LeCun have them (CVPR 2006, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

NETWORKS = ("convolutional", "connected")
_MAPS = (15, 30)
_HIDDEN = 20
# The least side of a picture that two convolutions and a pooling leave anything of.
_LEAST = 8


def map_network(kind: str, shape: tuple[int, ...], dim: int, *, seed: int = 0) -> Any:
    """A network from float32 (n, height * width * channels), rows of pixels with channels last, to (n, dim).

    kind : "convolutional": 15 maps by 6 x 6, a mean of 3 x 3, 30 maps that see all of what is left, a linear layer;
        of 32 x 32 pixels the paper's network for digits, its tanh replaced by max(0, x). "connected": 20 units and a
        linear layer, that for poses
    shape : of a picture, (height, width) or (height, width, channels); of vectors (d,), for "connected" alone
    seed : of the weights
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "connected":
            return torch.nn.Sequential(
                torch.nn.Linear(int(np.prod(shape)), _HIDDEN), torch.nn.Tanh(), torch.nn.Linear(_HIDDEN, dim)
            )  # fmt: skip
        if len(shape) < 2 or min(shape[:2]) < _LEAST:
            raise ValueError(
                f"network: 'convolutional' takes pictures of at least {_LEAST} x {_LEAST} pixels, got shape {shape}"
            )
        height, width, channels = (*shape, 1)[:3]
        return torch.nn.Sequential(
            _Pictures(height, width, channels),
            torch.nn.Conv2d(channels, _MAPS[0], 6), torch.nn.ReLU(), torch.nn.AvgPool2d(3),
            torch.nn.Conv2d(*_MAPS, ((height - 5) // 3, (width - 5) // 3)), torch.nn.ReLU(),
            torch.nn.Flatten(), torch.nn.Linear(_MAPS[1], dim),
        )  # fmt: skip


class _Pictures(torch.nn.Module):  # type: ignore[misc]
    """Rows of pixels as maps, channels first."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(-1, *self.shape).permute(0, 3, 1, 2)
