"""A query: a photo, or a box in one, to what the index, the geometry and the page need."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_array
from kinfold.base.errors import ImageError
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.describe import Describer
from kinfold.gallery.model import Model
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, as_pixels, fit

Box = tuple[float, float, float, float]
# Boxes smaller than this hold nothing to describe.
_LEAST_SIDE = 8


@dataclass(frozen=True)
class Query:
    """A described query.

    name : of the file; "query" for pixels
    pixels : uint8 (H, W, 3), upright, of the whole photo
    box : x0, y0, x1, y1 in these pixels, or None
    features : local features inside the box, in pixels of the described crop
    to_photo : float64 (3, 3), pixels of the crop to pixels of the whole photo
    vector : float32 (d,)
    """

    name: str
    pixels: Pixels
    box: Box | None
    features: LocalFeatures
    to_photo: NDArray[np.float64]
    vector: Vectors


def describe_query(source: Any, box: Any, describer: Describer, model: Model) -> Query:
    """Describe a query.

    source : path of a photo, or pixels uint8 (H, W, 3)
    box : x0, y0, x1, y1 in pixels of the upright photo
    Raises ImageError for a photo that cannot be decoded, ValueError for a bad box.
    """
    if isinstance(source, (str, os.PathLike)):
        name = Path(source).name
        try:
            pixels = decode(source).pixels
        except ImageError as error:
            raise ImageError(f"{source}: {error}") from None
    else:
        name, pixels = "query", as_pixels(source, "query")
    height, width = pixels.shape[:2]
    limits = None if box is None else checked_box(box, width, height)
    left, top, right, bottom = (0, 0, width, height)
    if limits is not None:
        left, top = int(np.floor(limits[0])), int(np.floor(limits[1]))
        right, bottom = int(np.ceil(limits[2])), int(np.ceil(limits[3]))
    crop = np.ascontiguousarray(pixels[top:bottom, left:right])
    small = fit(crop, describer.settings.max_side)
    features = describer.local(small)
    vector = model.describe(features, describer.network(crop))
    scale = np.diag([crop.shape[1] / small.shape[1], crop.shape[0] / small.shape[0], 1.0])
    scale[:2, 2] = left, top
    return Query(name, pixels, limits, features, scale, vector)


def checked_box(box: Any, width: int, height: int) -> Box:
    """A box cut to the photo. Raises ValueError where it is none or holds nothing of the photo."""
    numbers = as_array(box, "box").astype(np.float64)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise ValueError(f"box: expected x0, y0, x1, y1, got {box!r}")
    x0, y0, x1, y1 = numbers.tolist()
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"box: expected x0 < x1 and y0 < y1, got {x0:g},{y0:g},{x1:g},{y1:g}")
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if cut[2] - cut[0] < _LEAST_SIDE or cut[3] - cut[1] < _LEAST_SIDE:
        raise ValueError(
            f"box: expected at least {_LEAST_SIDE} pixels each way inside the photo of {width} x {height}, "
            f"got {x0:g},{y0:g},{x1:g},{y1:g}"
        )
    return cut
