"""Which pixels the places of a feature map see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Along one axis: place i sees the pixels i stride + first to i stride + last, both included."""

    stride: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Pixels from the first to the last."""
        return self.last - self.first + 1

    def window(self, size: int, stride: int, padding: int, dilation: int) -> Span:
        """After a window of some places slides over what has this span."""
        left = self.first - padding * self.stride
        right = self.last + (dilation * (size - 1) - padding) * self.stride
        return Span(self.stride * stride, left, right)

    def joined(self, other: Span) -> Span:
        """What sees either. ValueError where the strides differ: such maps have different sizes."""
        if self.stride != other.stride:
            raise ValueError(
                f"network: joins maps of strides {self.stride} and {other.stride}, which see no common grid"
            )
        return Span(self.stride, min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True)
class ReceptiveField:
    """Of every place of a network's maps: vertical and horizontal spans."""

    y: Span
    x: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y.size, self.x.size

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels between neighbouring places."""
        return self.y.stride, self.x.stride

    def boxes(self, places: Any, *, height: int | None = None, width: int | None = None) -> Boxes:
        """What places see: x0, y0, x1, y1 in pixels, x1 and y1 excluded: int64 (n, 4).

        places : int (n, 2)    row and column of the map
        height, width : of the image, to cut the boxes off at; they reach beyond it without
        """
        at = np.asarray(places, np.int64).reshape(-1, 2)
        boxes = np.stack(
            [
                at[:, 1] * self.x.stride + self.x.first,
                at[:, 0] * self.y.stride + self.y.first,
                at[:, 1] * self.x.stride + self.x.last + 1,
                at[:, 0] * self.y.stride + self.y.last + 1,
            ],
            axis=1,
        )
        most = [np.iinfo(np.int64).max if side is None else side for side in (width, height)]
        least = [0 if side is not None else np.iinfo(np.int64).min for side in (width, height)]
        return np.clip(boxes, least * 2, most * 2)


def cells(height: int, width: int, rows: int, columns: int) -> ReceptiveField:
    """Of maps (rows, columns) of an image whose network cannot be followed: the part at each place's own spot."""
    y, x = (max(1, round(side / count)) for side, count in ((height, rows), (width, columns)))
    return ReceptiveField(Span(y, 0, y - 1), Span(x, 0, x - 1))
