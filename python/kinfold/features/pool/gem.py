"""Generalised mean pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_number
from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class GeM(torch.nn.Module):  # type: ignore[misc]
    """(mean of max(a, eps)^p)^(1/p) of each map. p = 1 is SPoC; p to infinity is MAC.

    p : the exponent, or its first value where it is learnt
    learnt : whether p is a parameter of the module that training may change; else it is kept beside the weights
    Radenovic, Tolias & Chum, PAMI 2019, eq. 3.
    """

    def __init__(self, p: float = 3.0, *, eps: float = 1e-6, learnt: bool = True) -> None:
        super().__init__()
        exponent = torch.tensor([as_number(p, "p", least=1e-3, most=1e3)])
        self.learnt = bool(learnt)
        if self.learnt:
            self.p = torch.nn.Parameter(exponent)
        else:
            self.register_buffer("p", exponent)
        self.eps = as_number(eps, "eps", least=1e-30, most=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k)."""
        positive = maps.clamp(min=self.eps)
        # Relative to the largest: powers then neither overflow nor all vanish, whatever p.
        top = positive.amax(dim=(-2, -1), keepdim=True).detach()
        mean = (positive / top).pow(self.p).mean(dim=(-2, -1))
        return mean.pow(1.0 / self.p) * top[..., 0, 0]

    def options(self) -> dict[str, Any]:
        return {"p": float(self.p.detach()), "eps": self.eps, "learnt": self.learnt}
