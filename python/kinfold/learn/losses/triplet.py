"""The triplet loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.learn.losses.base import TripletLossBase

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class TripletLoss(TripletLossBase):
    """[m + (x+)^2 - (x-)^2]+ of the distances x+ to the positive and x- to the negative.

    margin : m, in squared distances
    squared : False for [m + x+ - x-]+, the margin in distances
    Wang et al., CVPR 2014, eq. 3; Schroff, Kalenichenko & Philbin, CVPR 2015, eq. 2.
    """

    def __init__(self, margin: float = 0.1, *, squared: bool = True) -> None:
        super().__init__(margin, squared=squared)

    def values(self, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
        """Distances (n,) to positives and negatives, to what each triplet costs (n,)."""
        return torch.relu(self.margin + self.powered(near) - self.powered(far))
