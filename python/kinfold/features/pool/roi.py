"""The maximum of maps in boxes that differ from image to image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def roi_max_pool(maps: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The maximum of each map over the cells that a box touches: (n, k, h, w) and (n, r, 4) to (n, r, k).

    boxes : x0, y0, x1, y1 in cells; cut off at the map's edges, and of one cell at least
    RoI pooling into 1 x 1: Girshick, ICCV 2015, section 2.1.
    """
    count, channels, height, width = maps.shape
    if (
        maps.is_meta
    ):  # shapes alone are asked for: how many cells boxes touch is a matter of numbers
        return maps.new_empty(count, boxes.size(1), channels)
    inside = boxes.detach().reshape(-1, 4)
    x0, x1 = _cells(inside[:, 0], inside[:, 2], width)
    y0, y1 = _cells(inside[:, 1], inside[:, 3], height)
    across, areas = x1 - x0, (x1 - x0) * (y1 - y0)
    # The cells of all boxes, one after the other; channels last, so that a cell is read at once.
    box = torch.repeat_interleave(torch.arange(len(areas), device=maps.device), areas)
    at = torch.arange(len(box), device=maps.device) - (areas.cumsum(0) - areas)[box]
    y, x = y0[box] + at // across[box], x0[box] + at % across[box]
    image = box // boxes.size(1)
    cells = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    touched = cells[(image * height + y) * width + x]
    pooled: torch.Tensor = torch.segment_reduce(touched, "max", lengths=areas, axis=0)
    return pooled.view(count, -1, channels)


def _cells(low: torch.Tensor, high: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first cell that an interval touches, and that behind the last."""
    first = low.floor().clamp(0, length - 1).long()
    return first, torch.maximum(high.ceil().clamp(max=length).long(), first + 1)
