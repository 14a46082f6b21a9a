"""One photo of an answer, with what the geometry says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import ImageError
from kinfold.gallery.confirm import Judged
from kinfold.gallery.edited import SIDE, Agreement, lay_over
from kinfold.gallery.photo import Photo, known_file
from kinfold.gallery.query import Query
from kinfold.gallery.segments import Segments
from kinfold.gallery.verdict import Verdict
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, fit
from kinfold.local.verify import outline, project
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import RankedList


@dataclass(frozen=True, repr=False)
class Hit:
    """One photo of an answer.

    rank : from 1
    verdict : the same file, an edited copy, the same thing, or one that only looks alike
    confidence : the probability that it shows the same thing, from 0 to 1; see ``gallery.confidence``
    is_query : whether it is the very file that was asked with
    through : the id of the photo that geometry confirms it by, where the query alone does not; None otherwise
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
    matrix: NDArray[np.float64] | None = field(default=None, compare=False)
    box: NDArray[np.float64] | None = field(default=None, compare=False)
    matches: NDArray[np.float64] | None = field(default=None, compare=False)
    rejected: NDArray[np.float64] | None = field(default=None, compare=False)
    root: Path = Path()
    verdict: Verdict = Verdict.LOOKS_ALIKE
    confidence: float = 0.0
    is_query: bool = False
    through: int | None = None

    def __repr__(self) -> str:
        itself = ", the query itself" if self.is_query else ""
        return f"Hit({self.rank}, {self.path!r}, {self.verdict}, {self.confidence:.2f}{itself})"

    @property
    def file(self) -> Path:
        """The photo's file, by its whole path."""
        return self.root / self.path

    @property
    def found(self) -> bool:
        """Whether it is an answer: it shows the same thing, and is not the photo that was asked with."""
        return self.verdict.shows_it and not self.is_query

    @property
    def verified(self) -> bool:
        """Whether geometry confirms it."""
        return self.inliers is not None and self.inliers >= LEAST_INLIERS

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "rank": self.rank,
            "id": self.id,
            "path": self.path,
            "file": str(self.file),
            "verdict": str(self.verdict),
            "confidence": round(self.confidence, 4),
            "is_query": self.is_query,
            "verified": self.verified,
            "through": self.through,
            "score": self.score,
            "inliers": self.inliers,
            "matrix": None if self.matrix is None else self.matrix.tolist(),
            "box": None if self.box is None else self.box.round(2).tolist(),
        }


def unchecked(hits: Sequence[Hit]) -> bool:
    """Whether no second look asked geometry which of these show the same thing, and nothing else is sure of any."""
    return bool(hits) and not any(hit.found or hit.inliers is not None for hit in hits)


def hit_of(
    rank: int,
    photo: Photo,
    score: float,
    query: Query,
    ranked: RankedList,
    segments: Segments,
    root: Path,
    judged: Judged | None = None,
) -> Hit:
    """A photo of an answer; its geometry in pixels of the upright originals.

    judged : what is thought of it
    """
    itself = query.file is not None and _is_same(query.file, root / photo.path)
    hit = Hit(rank, photo.id, photo.path, float(score), root=root, is_query=itself)
    if judged is not None:
        hit = replace(
            hit, verdict=judged.verdict, confidence=judged.confidence, through=judged.through
        )
    hit = _with_geometry(hit, photo, query, ranked, segments)
    if query.digest is not None and query.digest == photo.digest:
        return replace(hit, verdict=Verdict.SAME_FILE, confidence=1.0)
    return hit


def _with_geometry(
    hit: Hit, photo: Photo, query: Query, ranked: RankedList, segments: Segments
) -> Hit:
    """The same with what was found where."""
    verification = ranked.verified.get(photo.id)
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
    left, top, right, bottom = query.area
    found = Agreement(
        np.hstack([matches[:, :2] - [left, top], matches[:, 2:]]),
        len(matches) + sum(others),
        np.array([[right - left, bottom - top], [width, height]], np.float64),
    )
    over = lay_over(found, lambda: fit(query.crop, SIDE), lambda: _seen(hit.root, photo))
    return replace(
        hit,
        inliers=verification.inliers,
        matrix=matrix,
        box=outline(query.box or query.area, matrix),
        matches=matches,
        rejected=rejected[others],
        verdict=Verdict.EDITED_COPY if over is not None and over.is_copy else hit.verdict,
    )


def _seen(root: Path, photo: Photo) -> Pixels | None:
    """The pixels of a photo, reduced; None where its file is gone, another, or cannot be read."""
    file = known_file(root, photo)
    try:
        return None if file is None else decode(file, max_side=SIDE).pixels
    except (ImageError, OSError):
        return None


def _is_same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except (OSError, ValueError):
        return False
