"""Square regions of a feature map, and the maximum of each map inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def region_grid(
    height: int, width: int, levels: int = 3, overlap: float = 0.4
) -> list[tuple[int, int, int, int]]:
    """Squares of several scales that cover a map evenly: x0, y0, x1, y1 in cells, x1 and y1 excluded.

    At scale l the squares have the side 2 min(height, width) / (l + 1), rounded down, and there are l of them
    along the shorter side; along the longer side as many more as bring the overlap of those of the first
    scale closest to ``overlap``. Tolias, Sicre & Jegou, ICLR 2016, section 4.

    Scales whose squares have no side are left out. Starts are exact: the floating-point arithmetic of
    published code can put one a cell too low.
    """
    short, longer = min(height, width), max(height, width)
    extra = 0
    if height != width:
        best = 0.0
        for more in range(1, 7):  # the published limit
            step = (longer - short) / more
            gap = abs((short - step) / short - overlap)
            if gap < best - 1e-12 or extra == 0:
                best = gap
                extra = more
    extra_x = extra if width > height else 0
    extra_y = extra if height > width else 0
    boxes: list[tuple[int, int, int, int]] = []
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side > 0:
            steps_x, steps_y = level + extra_x - 1, level + extra_y - 1
            for j in range(steps_y + 1):
                y = j * (height - side) // max(steps_y, 1)
                for i in range(steps_x + 1):
                    x = i * (width - side) // max(steps_x, 1)
                    boxes.append((x, y, x + side, y + side))
    return boxes


def roi_max(maps: torch.Tensor, boxes: list[tuple[int, int, int, int]]) -> torch.Tensor:
    """The maximum of each map in each box: (n, k, h, w) to (n, r, k).

    boxes : x0, y0, x1, y1 in cells, x1 and y1 excluded; inside the map and not empty
    """
    return torch.stack(
        [maps[:, :, box[1] : box[3], box[0] : box[2]].amax(dim=(-2, -1)) for box in boxes], dim=1
    )


class Regions(torch.nn.Module):  # type: ignore[misc]
    """Maximum pooling in each region of the grid: regional descriptors from one pass of the network.

    levels : scales of the grid; 3 gives 20 regions of a 4:3 photo
    overlap : that the grid aims at, see region_grid
    whole : the whole map too, as one region more, the first: 21 of a 4:3 photo (Iscen et al., CVPR 2017)
    """

    def __init__(self, levels: int = 3, *, overlap: float = 0.4, whole: bool = False) -> None:
        super().__init__()
        self.levels = as_count(levels, "levels", most=20)
        self.overlap = as_number(overlap, "overlap", least=0, most=1)
        self.whole = bool(whole)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, k, h, w) to (n, r, k), not normalised."""
        return roi_max(maps, self.boxes(maps.size(-2), maps.size(-1)))

    def boxes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """The regions of a map of that size, x0, y0, x1, y1 in cells."""
        boxes = region_grid(height, width, self.levels, self.overlap)
        if self.whole:
            boxes = [(0, 0, width, height)] + boxes  # noqa: RUF005 (torch.jit knows no unpacking)
        return boxes
