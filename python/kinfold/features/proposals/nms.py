"""Non-maximum suppression: of boxes that overlap, the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require
from kinfold.features.proposals.boxes import iou

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def nms(
    boxes: torch.Tensor, scores: torch.Tensor, *, overlap: float = 0.7, keep: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best boxes of each image, none of which overlaps a better one by more.

    boxes : (n, m, 4)    x0, y0, x1, y1, of n images
    scores : (n, m)    ties go to the smaller row
    overlap : intersection over union that is still borne
    keep : so many at most
    Returns their rows, int64 (n, keep), the best first, and which of these are boxes, bool (n, keep): the rows behind
    the last of an image are without meaning.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranked = boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    alive = torch.ones_like(order, dtype=torch.bool)
    chosen, there = [], []
    # All images at once, a box of each after the other: as many steps as boxes are kept, not as there are.
    for _ in range(keep):
        there.append(alive.any(1))
        best = alive.to(torch.uint8).argmax(1, keepdim=True)
        chosen.append(best)
        box = ranked.gather(1, best.unsqueeze(-1).expand(-1, -1, 4))
        alive = (alive & (iou(ranked, box) <= overlap)).scatter(1, best, False)
    return order.gather(1, torch.cat(chosen, 1)), torch.stack(there, 1)
