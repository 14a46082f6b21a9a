"""What a page shows: photos, matches between them, chains of photos, ranked results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_choice, as_count, as_number
from kinfold.report.seen import Attention, Components

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]
Mark = Literal["ok", "junk", "wrong"]
MARKS = ("ok", "junk", "wrong")


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


def _as_kind(x: Any, name: str, kind: type) -> None:
    if not isinstance(x, kind):
        raise ValueError(f"{name}: expected a {kind.__name__}, got {type(x).__name__}")


def _as_text(x: Any, name: str) -> str:
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
        _as_text(self.name, "name")
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
        _as_kind(self.picture, "picture", Picture)
        as_number(self.similarity, "similarity")


@dataclass(frozen=True)
class Result:
    """One photo of an answer.

    rank : from 1
    score : what it is ranked by; None where nothing is ranked
    chain : the steps from the query to this photo, which is the last of them; empty if not known
    mark : what the ground truth says, if there is one
    components : what of it a network finds alike, where one was used
    """

    rank: int
    picture: Picture
    score: float | None
    match: Match | None = None
    chain: tuple[Link, ...] = ()
    mark: Mark | None = None
    components: Components | None = None

    def __post_init__(self) -> None:
        as_count(self.rank, "rank")
        _as_kind(self.picture, "picture", Picture)
        if self.score is not None:
            as_number(self.score, "score")
        if self.match is not None:
            _as_kind(self.match, "match", Match)
        object.__setattr__(self, "chain", tuple(self.chain))
        for link in self.chain:
            _as_kind(link, "chain", Link)
        if self.mark is not None:
            as_choice(self.mark, "mark", MARKS)
        if self.components is not None:
            _as_kind(self.components, "components", Components)


@dataclass(frozen=True)
class Answer:
    """A query and its ranked results.

    box : x0, y0, x1, y1, the region of the query that was asked for; None for the whole photo
    facts : how the answer was made, in the order in which it is shown
    average_precision : in [0, 1], where the ground truth is known
    attention : where a network looks in the query, where one was used
    """

    query: Picture
    box: Box | None = None
    results: tuple[Result, ...] = ()
    title: str = "Photos of the same thing"
    facts: dict[str, str] = field(default_factory=dict)
    average_precision: float | None = None
    attention: Attention | None = None

    def __post_init__(self) -> None:
        _as_text(self.title, "title")
        if self.attention is not None:
            _as_kind(self.attention, "attention", Attention)
        _as_kind(self.query, "query", Picture)
        object.__setattr__(self, "results", tuple(self.results))
        for result in self.results:
            _as_kind(result, "results", Result)
        if self.box is not None:
            corners = as_array(self.box, "box").astype(np.float64)
            if corners.shape != (4,) or not np.isfinite(corners).all():
                raise ValueError(f"box: expected x0, y0, x1, y1, got {self.box!r}")
            if corners[0] >= corners[2] or corners[1] >= corners[3]:
                raise ValueError(f"box: expected x0 < x1 and y0 < y1, got {self.box!r}")
        if self.average_precision is not None:
            as_number(self.average_precision, "average_precision", least=0, most=1)
