"""Anchors: the boxes that a network starts from, the same around every cell of a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Shares of the square root of a map's area, and heights by widths.
SIZES = (0.25, 0.4, 0.6, 0.85)
RATIOS = (0.5, 1.0, 2.0)


def anchors(
    height: int, width: int, sizes: Sequence[float] = SIZES, ratios: Sequence[float] = RATIOS
) -> torch.Tensor:
    """x0, y0, x1, y1 in cells of a map: float32 (height width a, 4), a cell after the other, row by row.

    sizes : square roots of their areas, as shares of the square root of the map's. Detectors that bring every photo to
        one size give pixels; shares are the same where photos, and the scales at which they are seen, are of any size
    ratios : heights by widths
    a is the number of sizes times that of ratios, sizes the slower. Anchors may reach beyond the map.
    Ren, He, Girshick & Sun, NIPS 2015, section 3.1.1.
    """
    area = (height * width) ** 0.5
    sides = [(size * area / r**0.5, size * area * r**0.5) for size in sizes for r in ratios]
    half = torch.tensor(sides) / 2
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    centre = torch.stack([x, y], -1).view(-1, 1, 2)
    return torch.cat([centre - half, centre + half], -1).view(-1, 4)
