"""R-MAC whose whitening is a layer that is learnt, over the rigid grid or over proposed regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.features.pool.regions import Regions
from kinfold.features.pool.roi import roi_max_pool
from kinfold.features.proposals.network import RegionProposals

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class LearntRMAC(torch.nn.Module):  # type: ignore[misc]
    """Regions pooled by maximum, L2, a linear layer, L2, and summed; all of it differentiable.

    channels : of the maps
    dim : length of the descriptor
    levels : scales of the rigid grid
    proposals : options of ``RegionProposals`` where regions are proposed; None for the grid
    Gordo, Almazan, Revaud & Larlus, ECCV 2016, section 3: the layer begins as the PCA-whitening of regions
    (``adopt``), and is then learnt with all the rest. It comes with weights: see features.weights.
    """

    def __init__(
        self,
        channels: int,
        dim: int,
        *,
        levels: int = 3,
        proposals: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.grid = Regions(levels)
        count = as_count(channels, "channels", most=1 << 16)
        self.layer = torch.nn.Linear(count, as_count(dim, "dim", most=1 << 16))
        self.proposals = None if proposals is None else RegionProposals(count, **proposals)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, channels, h, w) to (n, dim)."""
        if self.proposals is None:
            return self.summed(self.grid(maps))
        boxes, there = self.proposals(maps)
        return self.summed(roi_max_pool(maps, boxes), there)

    def summed(self, regions: torch.Tensor, there: torch.Tensor | None = None) -> torch.Tensor:
        """Regions (n, r, channels), of which some may not be there, to (n, dim)."""
        parts = torch.nn.functional.normalize(regions, dim=-1)
        parts = torch.nn.functional.normalize(self.layer(parts), dim=-1)
        if there is not None:
            parts = parts * there.unsqueeze(-1)
        return parts.sum(1)

    def adopt(self, whitening: Any) -> None:
        """Take a whitening of regions, whatever has ``affine()``, as the layer. ValueError for one of other sizes."""
        mean, projection = (torch.from_numpy(part.copy()) for part in whitening.affine())
        if projection.T.shape != self.layer.weight.shape:
            raise ValueError(
                f"whitening: expected one from {self.layer.in_features} to {self.layer.out_features} dimensions, "
                f"got {tuple(projection.shape)}"
            )
        with torch.no_grad():
            self.layer.weight.copy_(projection.T)
            self.layer.bias.copy_(-(mean @ projection))

    def options(self) -> dict[str, Any]:
        return {
            "channels": self.layer.in_features, "dim": self.layer.out_features, "levels": self.grid.levels,
            "proposals": None if self.proposals is None else self.proposals.options(),
        }  # fmt: skip
