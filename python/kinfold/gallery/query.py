"""A query: a photo, or a box in one, to what the index, the geometry and the page need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_array
from kinfold.base.errors import ImageError
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.describe import Describer
from kinfold.gallery.model import Model
from kinfold.gallery.region_sets import RegionSets
from kinfold.images.decode import Decoded, decode
from kinfold.images.digest import content_digest
from kinfold.images.given import given_pixels
from kinfold.images.resize import Pixels, fit
from kinfold.local.verify import project

Box = tuple[float, float, float, float]
# Boxes smaller than this hold nothing to describe.
_LEAST_SIDE = 8


@dataclass(frozen=True)
class Received:
    """A photo that was decoded elsewhere, as ``describe_query`` would: in another process, where nothing is trusted.

    decoded : no larger than ``Describer.side`` where there is no box, else of its original size
    file, digest : as of ``Query``
    """

    name: str
    decoded: Decoded
    file: Path | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Query:
    """A described query.

    name : of the file; "query" for pixels
    pixels : uint8 (H, W, 3), upright, of the whole photo; reduced where there is no box; none of vectors alone
    size : width and height of the upright original
    box : x0, y0, x1, y1 in pixels of the original, or None
    features : local features inside the box, in pixels of what was described
    to_photo : float64 (3, 3), pixels of what was described to pixels of the original
    vector : float32 (d,), or None where no engine has vectors
    seen : whether networks saw it
    regions : of the networks that they are kept of, by the network's number
    file : the photo's file; None for one that came otherwise
    digest : of that file's content, see ``images.content_digest``
    """

    name: str
    pixels: Pixels
    size: tuple[int, int]
    box: Box | None
    features: LocalFeatures
    to_photo: NDArray[np.float64]
    vector: Vectors | None
    seen: bool = False
    regions: Mapping[int, RegionSets] = field(default_factory=dict)
    file: Path | None = None
    digest: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare: no local feature, and no network, or nothing for one to see.

        Vectors of such a query are those of no photo in particular.
        """
        if len(self.features) or not self.pixels.size:  # without pixels, vectors are what was given
            return False
        return not self.seen or bool((self.crop == self.crop[:1, :1]).all())

    @property
    def area(self) -> Box:
        """The whole pixels that were described: x0, y0, x1, y1 in the original."""
        if self.box is None:
            return 0.0, 0.0, float(self.size[0]), float(self.size[1])
        x0, y0 = np.floor(self.box[:2]).tolist()
        x1, y1 = np.ceil(self.box[2:]).tolist()
        return x0, y0, x1, y1

    @property
    def crop(self) -> Pixels:
        """The pixels that were described, as large as they are at hand."""
        if self.box is None:
            return self.pixels
        x0, y0, x1, y1 = (int(side) for side in self.area)
        return np.ascontiguousarray(self.pixels[y0:y1, x0:x1])

    @property
    def region(self) -> Box:
        """What was asked for, in pixels of what was described."""
        frame = self.area if self.box is None else self.box
        corners = project(np.reshape(frame, (2, 2)), np.linalg.inv(self.to_photo))
        x0, y0, x1, y1 = corners.reshape(-1).tolist()
        return x0, y0, x1, y1


def with_features(query: Query, features: LocalFeatures, model: Model) -> Query:
    """The query with other local features. A network's part of its vector cannot follow: such a vector stays."""
    if "cnn" in model.engines:
        return replace(query, features=features)
    return replace(query, features=features, vector=model.describe(features))


def describe_query(source: Any, box: Any, describer: Describer, model: Model) -> Query:
    """Describe a query.

    source : path of a photo, one that was received, or what ``images.given.given_pixels`` takes for one
    box : x0, y0, x1, y1 in pixels of the upright photo
    Raises ImageError for a photo that cannot be decoded, ValueError for a bad box or for what is no photo.
    """
    name, pixels, (width, height) = _read(source, None if box is not None else describer.side)
    limits = None if box is None else checked_box(box, width, height)
    left, top, crop = 0, 0, pixels
    if limits is not None:
        left, top = int(np.floor(limits[0])), int(np.floor(limits[1]))
        right, bottom = int(np.ceil(limits[2])), int(np.ceil(limits[3]))
        crop = np.ascontiguousarray(pixels[top:bottom, left:right])
        width, height = right - left, bottom - top
    small = fit(crop, describer.settings.max_side)
    features = describer.local(small)
    networks, regions = describer.networks(crop)
    vector = model.describe(features, networks, regions)
    scale = np.diag([width / small.shape[1], height / small.shape[0], 1.0])
    scale[:2, 2] = left, top
    size = (width, height) if limits is None else (pixels.shape[1], pixels.shape[0])
    file = Path(source) if isinstance(source, (str, os.PathLike)) else None
    digest = None if file is None else content_digest(file)
    if isinstance(source, Received):
        file, digest = source.file, source.digest
    return Query(
        name, pixels, size, limits, features, scale, vector, bool(networks), regions, file, digest
    )


def _read(source: Any, max_side: int | None) -> tuple[str, Pixels, tuple[int, int]]:
    """Name, pixels, and the size of the upright original.

    Without a box a photo is decoded just as the gallery's are, so that it finds itself.
    """
    if isinstance(source, Received):
        return source.name, source.decoded.pixels, source.decoded.full_size
    if not isinstance(source, (str, os.PathLike)):
        pixels = given_pixels(source, "query")
        size = (pixels.shape[1], pixels.shape[0])
        return "query", pixels if max_side is None else fit(pixels, max_side), size
    try:
        decoded = decode(source, max_side=max_side)
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from None
    return Path(source).name, decoded.pixels, decoded.full_size


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
