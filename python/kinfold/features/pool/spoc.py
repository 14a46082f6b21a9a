"""Sum-pooled convolutional features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class SPoC(torch.nn.Module):  # type: ignore[misc]
    """The mean of each map. Babenko & Lempitsky, ICCV 2015 (their sum is the same after L2).

    centre_prior : weigh positions by a Gaussian around the centre whose sigma is a third of the distance from
        the centre to the closest border (section 3.2); for collections whose objects are in the middle
    """

    def __init__(self, centre_prior: bool = False) -> None:
        super().__init__()
        self.centre_prior = centre_prior

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k)."""
        if not self.centre_prior:
            return maps.mean(dim=(-2, -1))
        height, width = maps.shape[-2], maps.shape[-1]
        sigma = min(height, width) / 6.0
        y = torch.arange(height, dtype=maps.dtype, device=maps.device) - (height - 1) / 2
        x = torch.arange(width, dtype=maps.dtype, device=maps.device) - (width - 1) / 2
        prior = torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * sigma**2))
        return (maps * (prior / prior.sum())).sum(dim=(-2, -1))

    def options(self) -> dict[str, Any]:
        return {"centre_prior": self.centre_prior}
