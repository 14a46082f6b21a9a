"""One photo of an answer, with what the geometry says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.gallery.photo import Photo
from kinfold.gallery.query import Query
from kinfold.gallery.segments import Segments
from kinfold.local.verify import outline, project
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import RankedList


@dataclass(frozen=True)
class Hit:
    """One photo of an answer.

    rank : from 1
    score : what the last stage ranks by: similarity, inliers or diffusion
    inliers : of the spatial verification; None where it was not asked for or not reached
    matrix : float64 (3, 3), pixels of the upright query to pixels of the upright photo; None if unverified
    box : the query's frame in the photo, float64 (4, 2), where verified
    matches : float64 (m, 4), x and y in the query, x and y in the photo, of the inliers
    rejected : float64 (r, 4), the same of features that look alike and do not fit
    root : the folder of the gallery's photos, in which ``path`` is
    """

    rank: int
    id: int
    path: str
    score: float
    inliers: int | None = None
    matrix: NDArray[np.float64] | None = None
    box: NDArray[np.float64] | None = None
    matches: NDArray[np.float64] | None = None
    rejected: NDArray[np.float64] | None = None
    root: Path = Path()

    @property
    def file(self) -> Path:
        """The photo's file."""
        return self.root / self.path

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "rank": self.rank,
            "id": self.id,
            "path": self.path,
            "file": str(self.file),
            "score": self.score,
            "inliers": self.inliers,
            "matrix": None if self.matrix is None else self.matrix.tolist(),
            "box": None if self.box is None else self.box.round(2).tolist(),
        }


def hit_of(
    rank: int,
    photo: Photo,
    score: float,
    query: Query,
    ranked: RankedList,
    segments: Segments,
    root: Path,
) -> Hit:
    """A photo of an answer; its geometry in pixels of the upright originals."""
    verification = ranked.verified.get(photo.id)
    hit = Hit(rank, photo.id, photo.path, float(score), root=root)
    if verification is None:
        return hit
    if verification.inliers < LEAST_INLIERS:
        return replace(hit, inliers=verification.inliers)
    width, height, described_width, described_height = segments.frame(photo)
    grow = np.diag([width / described_width, height / described_height, 1.0])
    matrix = grow @ verification.matrix @ np.linalg.inv(query.to_photo)
    theirs = segments.features(photo).positions

    def placed(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        ours = project(query.features.positions[pairs[:, 0]], query.to_photo)
        return np.hstack([ours, project(theirs[pairs[:, 1]], grow)])

    matches, rejected = placed(verification.pairs), placed(verification.rejected)
    # A place with several orientations counts once: its other matches fit as well.
    fitting = set(map(tuple, matches.tolist()))
    others = [row not in fitting for row in map(tuple, rejected.tolist())]
    frame = query.box or (0.0, 0.0, float(query.size[0]), float(query.size[1]))
    return replace(
        hit,
        inliers=verification.inliers,
        matrix=matrix,
        box=outline(frame, matrix),
        matches=matches,
        rejected=rejected[others],
    )
