"""Regional maximum activations of convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require
from kinfold.features.pool.regions import Regions

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class RMAC(torch.nn.Module):  # type: ignore[misc]
    """Regions of several scales, each pooled by maximum, L2, whitened, L2, and summed.

    Tolias, Sicre & Jegou, ICLR 2016, section 4. Without a whitening the second L2 has nothing to do.

    levels, overlap, whole : of the grid, see Regions
    whitening : fitted on regional descriptors of other photos: whatever has ``affine()``, such as PCA and
        LearnedWhitening; becomes constant parts of the module
    """

    def __init__(
        self,
        levels: int = 3,
        *,
        overlap: float = 0.4,
        whole: bool = False,
        whitening: Any = None,
    ) -> None:
        super().__init__()
        self.regions = Regions(levels, overlap=overlap, whole=whole)
        mean, projection = (torch.empty(0), torch.empty(0, 0))
        if whitening is not None:
            mean, projection = (torch.from_numpy(part.copy()) for part in whitening.affine())
        self.register_buffer("mean", mean)
        self.register_buffer("projection", projection)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k), or (n, d) of a whitening to d dimensions."""
        parts = torch.nn.functional.normalize(self.regions(maps), dim=-1)
        if self.mean.numel() > 0:
            parts = torch.nn.functional.normalize((parts - self.mean) @ self.projection, dim=-1)
        return parts.sum(dim=1)

    def adopt(self, mean: torch.Tensor, projection: torch.Tensor) -> None:
        """Take a whitening's mean (k,) and projection (k, d); both empty for none. ValueError for other shapes."""
        if mean.ndim != 1 or projection.ndim != 2 or len(mean) != len(projection):
            raise ValueError(
                f"whitening: expected (k,) and (k, d), got {tuple(mean.shape)} and {tuple(projection.shape)}"
            )
        self.mean, self.projection = mean, projection

    def options(self) -> dict[str, Any]:
        grid = self.regions
        return {"levels": grid.levels, "overlap": grid.overlap, "whole": grid.whole}
