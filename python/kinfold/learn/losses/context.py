"""Softmax over the positions of context prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn


class ContextLoss(nn.Module):  # type: ignore[misc]
    """Cross-entropy of the true position under the softmax of the scores, mean over pairs.

    Doersch, Gupta & Efros, ICCV 2015, section 3: log sum_j exp s_j - s_y. Equal scores of eight positions give log 8.
    """

    def forward(self, scores: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Scores (n, c) of each position, and the true ones, int64 (n,), to a scalar."""
        if scores.ndim != 2 or positions.shape != scores.shape[:1]:
            raise ValueError(
                f"positions: expected one for each row of scores (n, c), got {tuple(positions.shape)} for "
                f"{tuple(scores.shape)}"
            )
        true = scores.gather(1, positions[:, None])[:, 0]
        return (torch.logsumexp(scores, 1) - true).mean()
