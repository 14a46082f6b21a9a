"""Square regions that cover a feature map, at several scales."""

from __future__ import annotations

from dataclasses import dataclass

from kinfold.base.arrays import as_count, as_number


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


def covering(
    height: int, width: int, levels: int, overlap: float, whole: bool
) -> list[tuple[int, int, int, int]]:
    """``region_grid``; with ``whole`` the whole map comes first."""
    boxes = region_grid(height, width, levels, overlap)
    if whole:
        boxes = [(0, 0, width, height)] + boxes  # noqa: RUF005 (torch.jit knows no unpacking)
    return boxes


@dataclass(frozen=True)
class Grid:
    """Which regions a map has.

    levels : scales of the grid; 3 gives 20 regions of a 4:3 photo
    overlap : that the grid aims at, see region_grid
    whole : the whole map too, as one region more, the first: 21 of a 4:3 photo (Iscen et al., CVPR 2017)
    """

    levels: int = 3
    overlap: float = 0.4
    whole: bool = False

    def __post_init__(self) -> None:
        as_count(self.levels, "levels", most=20)
        as_number(self.overlap, "overlap", least=0, most=1)

    def boxes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """The regions of a map of that size, x0, y0, x1, y1 in cells, x1 and y1 excluded."""
        return covering(height, width, self.levels, self.overlap, self.whole)
