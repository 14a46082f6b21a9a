"""Square regions of a feature map, and the maximum of each map inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.features.pool.grid import covering

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


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
    overlap : that the grid aims at, see grid.region_grid
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
        return covering(height, width, self.levels, self.overlap, self.whole)
