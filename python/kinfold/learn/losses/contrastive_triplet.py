"""The contrastive loss of two pairs at a time, written as a triplet's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.learn.losses.base import TripletLossBase

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class ContrastiveTripletLoss(TripletLossBase):
    """(x+)^2 + [m - x-]+^2: the positive should be near, the negative farther than the margin, each for itself.

    margin : m, in distances
    squared : False for x+ + [m - x-]+
    Twice the mean ContrastiveLoss of the pairs (anchor, positive) and (anchor, negative).
    """

    def __init__(self, margin: float = 0.7, *, squared: bool = True) -> None:
        super().__init__(margin, squared=squared)

    def values(self, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
        """Distances (n,) to positives and negatives, to what each triplet costs (n,)."""
        return self.powered(near) + self.powered(torch.relu(self.margin - far))
