"""All of a map as one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class Flatten(torch.nn.Module):  # type: ignore[misc]
    """Every number of the maps, channel by channel; codes as they are. For images of one size.

    The pool5 of Babenko, Slesarev, Chigorin & Lempitsky, ECCV 2014: 6 x 6 x 256 = 9216 numbers of AlexNet.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k h w), codes (n, k) to themselves."""
        return torch.flatten(maps, 1)

    def options(self) -> dict[str, Any]:
        return {}
