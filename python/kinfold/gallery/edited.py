"""Whether a photo is an edited copy of another, by its features' places and its pixels; and what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinfold.images.resize import Pixels
from kinfold.local.aligned import Aligned, aligned

# Pixels are compared at this side.
SIDE = 512
# Matches that a map is worth trying for, and their share of the features that look alike; of these, the share that it
# fits best makes it.
LEAST_MATCHES, _LEAST_SHARE, _TRIMMED = 8, 0.3, 0.8
# Distances are told in pixels of a photo that was reduced to this side.
_SIDE = 800.0
# A copy's pixels agree, and its features lie where they should: the one may be worse where the other is better. At
# least: correlation in the middle, share of windows that agree; at most: pixels off, stretch of one direction.
# Compression blurs both; other shots from the same place agree in pixels, but nothing moves as a whole.
_WAYS = (
    (0.9, 0.55, 0.7, 1.6),
    (0.97, 0.55, 1.4, 1.01),
    (0.988, 0.95, 1.0, 1.6),
    (0.5, 0.45, 0.35, 1.01),
)
# No edit makes a right angle much sharper than this cosine, of sides or of what becomes of them.
_SHEARED = 0.02
# Of one of the photos, the other shows so much.
_LEAST_SHARED = 0.2
# Below these nothing was done: degrees, share of a side, share of the photo, share of the windows.
_TURNED, _RESIZED, _CUT, _COVERED = 1.0, 0.03, 0.96, 0.9
# Of what only one shows, the share that is flat where it is a page around the other.
_PLAIN = 0.5


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


@dataclass(frozen=True)
class Laid:
    """One photo laid over another.

    matrix : float64 (3, 3), pixels of the first upright original to those of the second
    off : how far three of four matches are at most from where the map puts them, in pixels of the photo that shows less
        detail, reduced to 800
    over : what their pixels have in common
    """

    matrix: NDArray[np.float64]
    off: float
    over: Aligned

    @property
    def is_copy(self) -> bool:
        """Whether one was made from the other: in another shot, near and far things move differently."""
        over, stretched = self.over, self._stretched
        whole = float(over.shared.max()) >= _LEAST_SHARED and self._sheared <= _SHEARED
        return whole and any(
            over.correlation >= least
            and over.agreeing >= share
            and self.off <= off
            and stretched <= most
            for least, share, off, most in _WAYS
        )

    @property
    def framed(self) -> int | None:
        """Which of the two, 0 or 1, has a page, bars or corners around what both show; None for neither."""
        more = int(self.over.shared[0] > self.over.shared[1])
        around = self.over.shared[more] < _CUT and self.over.plain[more] >= _PLAIN
        return more if around else None

    @property
    def edits(self) -> tuple[str, ...]:
        """What was done to one of the two, the most visible first; ("recompression",) where that is nothing."""
        turn, framed = self.matrix[:2, :2], self.framed is not None
        mirrored = bool(np.linalg.det(turn) < 0)
        upright = turn * [-1, 1] if mirrored else turn
        angle = np.degrees(np.arctan2(upright[1, 0] - upright[0, 1], np.trace(upright)))
        # A photo that was turned lacks its corners, and has others.
        turned = abs(angle) > _TURNED
        words = {
            "mirror": mirrored,
            "rotation": turned,
            "screenshot": framed and not turned,
            "crop": not framed and float(self.over.shared.min()) < _CUT,
            "overlay": self.over.agreeing < _COVERED,
            "resize": abs(np.log(abs(np.linalg.det(turn)))) > 2 * _RESIZED,
        }
        return tuple(word for word, done in words.items() if done) or ("recompression",)

    @property
    def _sheared(self) -> float:
        turn = self.matrix[:2, :2]
        cosines = [
            abs(a @ b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9) for a, b in (turn, turn.T)
        ]
        return float(min(cosines))

    @property
    def _stretched(self) -> float:
        long, short = np.linalg.svd(self.matrix[:2, :2], compute_uv=False)
        return float(long / max(short, 1e-9))


def lay_over(
    found: Agreement,
    first: Callable[[], Pixels | None],
    second: Callable[[], Pixels | None],
) -> Laid | None:
    """Lay the first photo over the second by what geometry found; None where that is too little.

    first, second : give uint8 (H, W, 3), the upright photos at any size, some ``SIDE`` will do; None where they cannot
        be seen. Asked where it matters alone
    """
    if len(found.matches) < _LEAST_SHARE * found.matched:
        return None
    matrix = _whole(found.matches)
    ours = None if matrix is None else first()
    theirs = None if ours is None else second()
    if matrix is None or ours is None or theirs is None:
        return None
    sizes = [np.array(pixels.shape[1::-1], np.float64) for pixels in (ours, theirs)]
    # The pixels at hand may be fewer than those of the originals.
    from_ours, to_theirs = (
        np.diag([*(size / full), 1.0]) for size, full in zip(sizes, found.sizes)
    )
    over = aligned(ours, theirs, to_theirs @ matrix @ np.linalg.inv(from_ours))
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    coarse = min(1.0, _SIDE / found.sizes[int(scale <= 1)].max()) / max(scale, 1.0)
    off = float(np.quantile(_far(found.matches, matrix), 0.75)) * coarse
    return Laid(matrix, off, over)


def _far(matches: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each match is from where the map puts it, in pixels of the second photo."""
    moved = matches[:, :2] @ matrix[:2, :2].T + matrix[:2, 2]
    far: NDArray[np.float64] = np.linalg.norm(moved - matches[:, 2:], axis=1)
    return far


def _whole(matches: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The affine map of least squares of the matches that it fits best, float64 (3, 3)."""
    if len(matches) < LEAST_MATCHES:
        return None
    ours = np.column_stack([matches[:, :2], np.ones(len(matches))])
    matrix, kept = np.eye(3), np.ones(len(matches), bool)
    for _ in range(3):
        fit, *_ = np.linalg.lstsq(ours[kept], matches[kept, 2:], rcond=None)
        matrix[:2] = fit.T
        far = _far(matches, matrix)
        kept = far <= np.quantile(far, _TRIMMED)
    return None if abs(np.linalg.det(matrix[:2, :2])) < 1e-9 else matrix
