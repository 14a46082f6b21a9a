"""A network that gives descriptors, and whose descriptors can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_choice
from kinfold.base.extras import require
from kinfold.base.registry import resolve
from kinfold.features.backbones.cut import cut, where
from kinfold.features.forward import unit
from kinfold.features.pool import METHODS as POOLINGS

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class Descriptor(torch.nn.Module):  # type: ignore[misc]
    """Normalised pixels (n, 3, h, w) to descriptors (n, d) of length one: maps, pooled.

    network : of ``features.backbones``; its parameters are those that are trained
    layer : where it is cut, a name from its ``layers``; None for its first
    pooling : name from ``features.pool``, or such a module, which is trained too where it has parameters
    ``Extractor`` with its weights, layer and pooling gives the same descriptors at one scale.
    """

    def __init__(self, network: Any, *, layer: str | None = None, pooling: Any = "gem") -> None:
        super().__init__()
        self.backbone = network
        self.layer = where(network, layer)[0]
        if isinstance(pooling, torch.nn.Module):
            self.pool = pooling
            return
        kind = resolve(POOLINGS[as_choice(pooling, "pooling", POOLINGS)])
        # Extractor has the exponent by its options, not by the weights.
        self.pool = kind(learnt=False) if pooling == "gem" else kind()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, h, w) to unit vectors (n, d)."""
        pooled: torch.Tensor = unit(self.pool(cut(self.backbone, self.layer)(x)))
        return pooled
