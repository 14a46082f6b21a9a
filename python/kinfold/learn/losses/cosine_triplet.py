"""The triplet loss of cosine distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.learn.losses.base import TripletLossBase

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class CosineTripletLoss(TripletLossBase):
    """[m + D+ - D-]+ of the distances D = 1 - cosine to the positive and to the negative.

    margin : m, of distances from 0 to 2
    squared : True for squares of these distances
    Wang & Gupta, ICCV 2015, eq. 2. A zero vector has cosine 0 with all, and no gradient.
    """

    def __init__(self, margin: float = 0.5, *, squared: bool = False) -> None:
        super().__init__(margin, squared=squared)

    def distances(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """1 - cosine of rows (n, d) and (n, d): (n,)."""
        return 1 - (_unit(a) * _unit(b)).sum(-1)

    def values(self, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
        """Distances (n,) to positives and negatives, to what each triplet costs (n,)."""
        return torch.relu(self.margin + self.powered(near) - self.powered(far))


def _unit(x: torch.Tensor) -> torch.Tensor:
    squares = x.square().sum(-1, keepdim=True)
    some = squares > 0
    return torch.where(some, x / torch.where(some, squares, 1).sqrt(), 0)
