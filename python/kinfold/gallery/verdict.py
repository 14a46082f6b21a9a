"""What a photo is to another: the same file, an edited copy, one of the same thing, or one that only looks alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

# A copy: so many features agree, this share of those that look alike, and they move as a flat picture does, to within
# this share of the larger photo's diagonal. They are found in this share of the cells of what both photos show.
_LEAST_INLIERS, _LEAST_SHARE = 20, 0.5
_MOST_MOVED = 0.0015
_GRID, _LEAST_COVERED = 5, 0.4


class Verdict(str, Enum):
    """What a photo is to another, the closest first.

    Examples
    --------
    >>> from kinfold.gallery.verdict import Verdict
    >>> Verdict.SAME_THING == "same thing", str(Verdict.LOOKS_ALIKE)
    (True, 'only looks alike')
    """

    SAME_FILE = "same file"
    EDITED_COPY = "edited copy"
    SAME_THING = "same thing"
    LOOKS_ALIKE = "only looks alike"

    def __str__(self) -> str:
        return self.value

    @property
    def shows_it(self) -> bool:
        """Whether the photo shows the same thing, whichever way."""
        return self is not Verdict.LOOKS_ALIKE


@dataclass(frozen=True)
class Agreement:
    """What geometry found in two photos, in pixels of the upright originals.

    matches : float64 (m, 4), x and y in the first, x and y in the second, of the features that one map explains
    matched : how many look alike, those included that the map does not explain
    sizes : float64 (2, 2), width and height of both
    """

    matches: NDArray[np.float64]
    matched: int
    sizes: NDArray[np.float64]


def is_edited_copy(found: Agreement) -> bool:
    """Whether one photo was made from the other: cut, made smaller, turned, mirrored, written on.

    A picture that is moved as a whole stays itself up to a similarity or its mirror image; another shot of the same
    scene moves near and far things differently. What does not fit is little, and what fits is everywhere.
    """
    count = len(found.matches)
    if count < _LEAST_INLIERS or count < _LEAST_SHARE * found.matched:
        return False
    moved = _moved(found.matches) / np.hypot(*found.sizes.T).max()
    return bool(np.quantile(moved, 0.75) <= _MOST_MOVED and _covered(found) >= _LEAST_COVERED)


def _moved(matches: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each match is from where the similarity of least squares, or its mirror image, puts it; pixels (m,)."""
    ours, theirs = matches[:, 0] + 1j * matches[:, 1], matches[:, 2] + 1j * matches[:, 3]
    ways = []
    for start in (ours, ours.conj()):
        design = np.column_stack([start, np.ones_like(start)])
        (turn, _), *_ = fit = np.linalg.lstsq(design, theirs, rcond=None)
        # Of a photo that is made small the errors are small, too: in the pixels of the larger one.
        ways.append(np.abs(design @ fit[0] - theirs) / min(1.0, max(abs(turn), 1e-9)))
    return min(ways, key=lambda far: float(np.median(far)))


def _covered(found: Agreement) -> float:
    """The share of cells that hold a match, of a grid over what both photos show: the photo that shows less of it."""
    shares = []
    for points, (width, height) in zip((found.matches[:, :2], found.matches[:, 2:]), found.sizes):
        cells = np.floor(points / [width, height] * _GRID).clip(0, _GRID - 1).astype(int)
        shares.append(len(np.unique(cells, axis=0)) / _GRID**2)
    # One of the two may be cut from the other: then it is that one which is covered.
    return max(shares)
