"""Squares of photos as a network takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def as_input(network: Any) -> Callable[[Any], Any]:
    """A function squares -> what the network takes, on its device.

    squares : uint8 (n, side, side, 3), array or tensor; they become float32 (n, 3, side, side) by its mean and std
    """
    device = next(network.parameters()).device
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (network.mean, network.std)
    )

    def normalised(squares: Any) -> Any:
        images = torch.as_tensor(squares).to(device).permute(0, 3, 1, 2).float() / 255
        return (images - mean) / std

    return normalised
