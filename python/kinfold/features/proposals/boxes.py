"""Boxes x0, y0, x1, y1: how much they overlap, and one told as a move of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# A side grows by this factor at most, however large a number a network gives (Detectron's, 1000 / 16).
_MOST_GROWTH = 62.5


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes (..., 4) and (..., 4), which broadcast: (...). 0 where both are empty."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    both = (high - low).clamp(min=0).prod(-1)
    union = _area(a) + _area(b) - both
    return torch.where(union > 0, both / torch.where(union > 0, union, 1), 0)


def as_moves(boxes: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """What moves anchors (..., 4) to boxes (..., 4): centres apart in the anchor's sides, logarithms of sides.

    Girshick, Donahue, Darrell & Malik, CVPR 2014, appendix C. All sides must be above 0.
    """
    (centre, sides), (from_, of) = _parts(boxes), _parts(anchors)
    return torch.cat([(centre - from_) / of, (sides / of).log()], -1)


def moved(anchors: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Anchors (..., 4) moved by (..., 4): the inverse of as_moves."""
    from_, of = _parts(anchors)
    growth = moves[..., 2:].exp().clamp(max=_MOST_GROWTH)
    centre, half = from_ + moves[..., :2] * of, growth * of / 2
    return torch.cat([centre - half, centre + half], -1)


def clipped(boxes: torch.Tensor, height: float, width: float) -> torch.Tensor:
    """Boxes (..., 4) as far as they lie within 0, 0, width, height."""
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1)


def _area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def _parts(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres and sides."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
