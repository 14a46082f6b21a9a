"""Photos and answers as JSON takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.gallery.hit import Hit
from kinfold.gallery.photo import Photo
from kinfold.gallery.query import Query
from kinfold.local.verify import hull


def photo_told(photo: Photo, root: Path, place: tuple[float, float] | None) -> dict[str, Any]:
    """A photo of the gallery, see ``shapes.Photo``."""
    return {
        "id": photo.id,
        "name": photo.path,
        "width": photo.width,
        "height": photo.height,
        "taken": photo.taken,
        "place": None if place is None else list(place),
        "missing": not _is_there(root, photo),
    }


def _is_there(root: Path, photo: Photo) -> bool:
    try:
        return (root / photo.path).stat().st_size == photo.size
    except (OSError, ValueError):
        return False


def query_told(query: Query, id: int | None) -> dict[str, Any]:
    """What was asked with, see ``shapes.QueryFacts``."""
    width, height = query.size
    box = None if query.box is None else list(query.box)
    return {"id": id, "name": query.name, "width": width, "height": height, "box": box}


def hit_told(hit: Hit, photo: Photo, root: Path) -> dict[str, Any]:
    """A photo of an answer, see ``shapes.Hit``."""
    found = hit.matches
    return {
        "rank": hit.rank,
        "id": hit.id,
        "name": hit.path,
        "score": hit.score,
        "confidence": round(hit.confidence, 4),
        "verdict": str(hit.verdict),
        "verified": hit.verified,
        "inliers": hit.inliers,
        "is_query": hit.is_query,
        "through": hit.through,
        "place_found": None if found is None or not len(found) else corners(hull(found[:, 2:])),
        "frame": None if hit.box is None else corners(hit.box),
        "width": photo.width,
        "height": photo.height,
        "missing": not _is_there(root, photo),
    }


def corners(points: NDArray[np.float64]) -> list[list[float]]:
    """Points as lists, to a hundredth of a pixel."""
    rounded: list[list[float]] = points.round(2).tolist()
    return rounded
