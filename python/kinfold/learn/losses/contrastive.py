"""The contrastive loss of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.learn.losses.base import PairLoss

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class ContrastiveLoss(PairLoss):
    """t x^2 + (1 - t) [m - x]+^2 of distances x: similar pairs attract, others repel when nearer than the margin.

    margin : m, in distances: 0.7 suits unit vectors, whose largest distance is 2
    squared : False for t x + (1 - t) [m - x]+
    Hadsell, Chopra & LeCun, CVPR 2006, eq. 4, without its halves.
    """

    def __init__(self, margin: float = 0.7, *, squared: bool = True) -> None:
        super().__init__(margin, squared=squared)

    def values(self, distances: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Distances (n,) and bool (n,) to what each pair costs (n,)."""
        return self.powered(torch.where(similar, distances, torch.relu(self.margin - distances)))
