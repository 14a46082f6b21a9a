"""Photos as a page shows them, matches between them, steps from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_count, as_number

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]


def _as_points(x: Any, name: str, columns: int = 2) -> Points:
    """Finite positions (n, columns) in pixels; an empty list is no positions."""
    if np.size(x) == 0:
        return np.empty((0, columns))
    points = as_array(x, name).astype(np.float64)
    if points.ndim != 2 or points.shape[1] != columns:
        raise ValueError(f"{name}: expected positions (n, {columns}), got shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name}: expected finite positions, got NaN or infinity")
    return points


def as_kind(x: Any, name: str, kind: type) -> None:
    """Raises ValueError for an argument of another kind."""
    if not isinstance(x, kind):
        raise ValueError(f"{name}: expected a {kind.__name__}, got {type(x).__name__}")


def as_text(x: Any, name: str) -> str:
    """The argument, if it is text."""
    if not isinstance(x, str):
        raise ValueError(f"{name}: expected text, got {type(x).__name__}")
    return x


@dataclass(frozen=True)
class Picture:
    """A photo on a page.

    name : its file name, shown as it is
    jpeg : a JPEG file, as small as the page wants it
    width, height : size of the upright photo in whose pixels boxes and points are given
    """

    name: str
    jpeg: bytes
    width: int
    height: int

    def __post_init__(self) -> None:
        as_text(self.name, "name")
        if not isinstance(self.jpeg, bytes) or not self.jpeg.startswith(b"\xff\xd8"):
            raise ValueError(f"jpeg: expected the bytes of a JPEG file for {self.name!r}")
        as_count(self.width, "width")
        as_count(self.height, "height")


@dataclass(frozen=True, eq=False)
class Match:
    """Verified correspondences between the query and a photo.

    query_points, photo_points : (n, 2) positions of the inliers in either photo, row by row
    outline : (m, 2) the query's outline projected into the photo, or None
    inliers : how many there are, where only some of them are given; None for as many as given
    rejected : (r, 4) positions in the query and in the photo of what looks alike and does not fit, or None
    """

    query_points: Points
    photo_points: Points
    outline: Points | None = None
    inliers: int | None = None
    rejected: Points | None = None

    def __post_init__(self) -> None:
        query = _as_points(self.query_points, "query_points")
        photo = _as_points(self.photo_points, "photo_points")
        if len(query) != len(photo):
            raise ValueError(
                f"photo_points: expected {len(query)} positions, one for each of query_points, "
                f"got {len(photo)}"
            )
        object.__setattr__(self, "query_points", query)
        object.__setattr__(self, "photo_points", photo)
        if self.outline is not None:
            object.__setattr__(self, "outline", _as_points(self.outline, "outline"))
        if self.rejected is not None:
            object.__setattr__(self, "rejected", _as_points(self.rejected, "rejected", 4))
        if self.inliers is not None:
            as_count(self.inliers, "inliers", least=len(query))

    def __len__(self) -> int:
        return len(self.query_points) if self.inliers is None else self.inliers


@dataclass(frozen=True)
class Link:
    """A step along the graph: the photo that it leads to and the similarity of the edge taken."""

    picture: Picture
    similarity: float

    def __post_init__(self) -> None:
        as_kind(self.picture, "picture", Picture)
        as_number(self.similarity, "similarity")
