"""R-MAC whose whitening is a layer that is learnt, over the rigid grid or over proposed regions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.features.pool.regions import Regions
from kinfold.features.pool.roi import roi_max_pool
from kinfold.features.proposals.network import RegionProposals
from kinfold.features.weights import Weights, fill

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
    (``adopt``), and is then learnt with all the rest. Files of weights hold it beside the network: ``of_weights``.
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
        self.channels = count = as_count(channels, "channels", most=1 << 16)
        self.layer = torch.nn.Linear(count, as_count(dim, "dim", most=1 << 16))
        self.proposals = None if proposals is None else RegionProposals(count, **proposals)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, channels, h, w) to (n, dim)."""
        boxes, there = self.boxes(maps)
        parts = torch.nn.functional.normalize(roi_max_pool(maps, boxes), dim=-1)
        parts = torch.nn.functional.normalize(self.layer(parts), dim=-1)
        return (parts * there.unsqueeze(-1)).sum(1)

    def boxes(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The regions of maps (n, channels, h, w), in cells (n, r, 4), and which of these there are, bool (n, r)."""
        if self.proposals is not None:
            boxes, there = self.proposals(maps)
            return boxes, there
        # In float32 whatever maps are: half precision knows no whole numbers beyond some hundreds.
        cells = self.grid.boxes(*maps.shape[-2:])
        grid = torch.tensor(cells, dtype=torch.float32, device=maps.device)
        return grid.expand(len(maps), -1, -1), grid.new_ones(len(maps), len(grid), dtype=torch.bool)

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
            "channels": self.channels, "dim": self.layer.out_features, "levels": self.grid.levels,
            "proposals": None if self.proposals is None else self.proposals.options(),
        }  # fmt: skip

    @classmethod
    def of_weights(cls, weights: Weights) -> LearntRMAC:
        """The one that a file of weights holds. FileFormatError for a damaged one, ValueError where there is none."""
        if "pool" not in weights.metadata:
            raise ValueError(
                "pooling: these weights hold no learnt R-MAC, as those of kinfold train dir do; 'rmac' needs none"
            )
        try:
            options = json.loads(weights.metadata["pool"])
            # Without memory for values: what a file merely claims allocates nothing.
            with torch.device("meta"):
                pool = cls(**options)
        except (ValueError, TypeError, RecursionError) as error:
            raise FileFormatError(f"weights: no learnt R-MAC: {error}") from error
        fill(pool, weights.pool, "learnt R-MAC")
        return pool
