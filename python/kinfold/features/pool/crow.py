"""Cross-dimensional weighting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_choice, as_number
from kinfold.base.extras import require
from kinfold.features.pool.arrays import FORMS

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class CroW(torch.nn.Module):  # type: ignore[misc]
    """Maps weighted by place and by channel, then summed: f_k = w_k sum over (x, y) of F(x, y) A_k(x, y).

    The place weighs what all channels say of it, S = sum over k of A_k; a channel weighs the more the fewer
    places it answers at, its share Q_k of activations above zero. Kalantidis, Mellina & Osindero, ECCVW 2016.

    form :
        "reference"  F = (S / |S|)^(1/2), w_k = log(sum of Q / Q_k), and 0 for a channel that is silent
                     everywhere: what the authors' code computes
        "paper"      the same F, w_k = log((K eps + sum of Q) / (eps + Q_k)): eq. 2
        "lecture"    F = S, w_k = -log(eps + Q_k)
    eps : of the last two
    """

    def __init__(self, form: str = "reference", *, eps: float = 1e-6) -> None:
        super().__init__()
        self.form = as_choice(form, "form", FORMS)
        self.eps = as_number(eps, "eps", least=1e-30, most=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, k)."""
        summed = (maps * self.spatial(maps).unsqueeze(1)).sum(dim=(-2, -1))
        return summed * self.channel(maps)

    def spatial(self, maps: torch.Tensor) -> torch.Tensor:
        """The weights of the places F (n, h, w)."""
        total = maps.sum(dim=1)
        if self.form == "lecture":
            return total
        # Negative activations, which rectified maps lack, have no root.
        total = total.clamp(min=0)
        length = total.square().sum(dim=(-2, -1), keepdim=True)
        alive = total > 0
        # The root's slope at 0 is infinite: those places are kept out of it, and weigh 0.
        ratio = (
            torch.where(alive, total, torch.ones_like(total))
            / torch.where(length > 0, length, torch.ones_like(length)).sqrt()
        )
        return torch.where(alive, ratio.sqrt(), torch.zeros_like(total))

    def channel(self, maps: torch.Tensor) -> torch.Tensor:
        """The weights of the channels w (n, k), by their sparsity; no gradient flows through a count."""
        share = (maps > 0).to(maps.dtype).mean(dim=(-2, -1))
        if self.form == "lecture":
            return -(self.eps + share).log()
        total = share.sum(dim=1, keepdim=True)
        if self.form == "paper":
            return ((share.size(1) * self.eps + total) / (self.eps + share)).log()
        silent = share == 0
        ratio = torch.where(silent, torch.ones_like(share), total) / torch.where(
            silent, torch.ones_like(share), share
        )
        return ratio.log()

    def options(self) -> dict[str, Any]:
        return {"form": self.form, "eps": self.eps}
