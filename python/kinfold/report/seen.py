"""What a network saw, as a page is given it: arrays, of whatever network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_number

_Array = NDArray[np.float64]


def _as_boxes(x: Any, name: str) -> _Array:
    """Finite boxes x0, y0, x1, y1 (n, 4) in pixels; an empty list is no boxes."""
    if np.size(x) == 0:
        return np.empty((0, 4))
    boxes = as_array(x, name).astype(np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"{name}: expected finite boxes (n, 4), got shape {boxes.shape}")
    return boxes


def _as_numbers(x: Any, name: str, n: int) -> _Array:
    numbers = as_array(x, name).astype(np.float64)
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected {n} finite numbers, got shape {numbers.shape}")
    return numbers


@dataclass(frozen=True, eq=False)
class Components:
    """The components that make two photos alike to a network, the largest contribution first.

    similarity : of the two descriptors; what all components contribute together
    channels : (c,)   their numbers
    contributions : (c,)   to the similarity
    query_boxes, photo_boxes : (c, 4)   where, x0, y0, x1, y1 in pixels of either photo
    effective : boxes stand for receptive fields that are larger than a photo
    """

    similarity: float
    channels: Any
    contributions: Any
    query_boxes: Any
    photo_boxes: Any
    effective: bool = False

    def __post_init__(self) -> None:
        as_number(self.similarity, "similarity")
        query = _as_boxes(self.query_boxes, "query_boxes")
        object.__setattr__(self, "query_boxes", query)
        photo = _as_boxes(self.photo_boxes, "photo_boxes")
        if len(photo) != len(query):
            raise ValueError(
                f"photo_boxes: expected {len(query)}, as of query_boxes, got {len(photo)}"
            )
        object.__setattr__(self, "photo_boxes", photo)
        for name in ("channels", "contributions"):
            object.__setattr__(self, name, _as_numbers(getattr(self, name), name, len(query)))


@dataclass(frozen=True, eq=False)
class Attention:
    """Where a network looks in the query, by the weights of CroW.

    weights : (h, w)   of the places of its maps, from 0
    area : x0, y0, x1, y1, the part of the photo that the maps lie on
    channels, channel_weights : (c,)   the channels that answer at the fewest places, the rarest first
    boxes : c arrays (m, 4)   where each answers, in pixels of the photo
    effective : as of Components
    """

    weights: Any
    area: tuple[float, float, float, float]
    channels: Any
    channel_weights: Any
    boxes: Any
    effective: bool = False

    def __post_init__(self) -> None:
        weights = as_array(self.weights, "weights").astype(np.float64)
        if weights.ndim != 2 or not weights.size or not (weights >= 0).all():
            raise ValueError(f"weights: expected (h, w) from 0, got shape {weights.shape}")
        object.__setattr__(self, "weights", weights)
        if len(_as_boxes([self.area], "area")) != 1:
            raise ValueError(f"area: expected x0, y0, x1, y1, got {self.area!r}")
        boxes = tuple(_as_boxes(part, "boxes") for part in self.boxes)
        object.__setattr__(self, "boxes", boxes)
        for name in ("channels", "channel_weights"):
            object.__setattr__(self, name, _as_numbers(getattr(self, name), name, len(boxes)))
