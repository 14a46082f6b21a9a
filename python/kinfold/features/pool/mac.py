"""Maximum activations of convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class MAC(torch.nn.Module):  # type: ignore[misc]
    """The maximum of each map. Razavian et al. 2014; Tolias, Sicre & Jegou, ICLR 2016."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k)."""
        return maps.amax(dim=(-2, -1))

    def options(self) -> dict[str, Any]:
        """What the constructor takes to make this pooling again."""
        return {}
