"""Whether two photos are the same picture: one is laid over the other, and their pixels are compared place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array
from kinfold.base.extras import require
from kinfold.base.offered import call_by_name

# Pixels along the longer side that are compared; a window's side; grey levels that a window varies by to tell anything;
# how much of a window must lie in both photos.
_SIDE, _WINDOW = 256, 15
_LEAST_SPREAD = 3.0
_INSIDE = 0.98
# Grey levels of an edge, and the share of a seam that has one, where a photo was set into a page.
_EDGE, _SET_OFF = 16.0, 0.7


@dataclass(frozen=True)
class Aligned:
    """What two photos that lie over each other have in common.

    correlation : the median of the normalised cross-correlations of small windows; 0 where nothing can be compared
    agreeing : the share of windows of which it is above one half
    shared : float64 (2,), the share of each photo that the other shows
    plain : float64 (2,), of what the other photo does not show, the share that is flat, as margins are; 0 where
        no edge sets it off, as of a sky that was cut
    compared : the share of what both show that varies enough to be compared
    """

    correlation: float
    agreeing: float
    shared: NDArray[np.float64]
    plain: NDArray[np.float64]
    compared: float


def aligned(first: Any, second: Any, matrix: Any) -> Aligned:
    """Lay two photos over each other and compare them.

    first, second : uint8 (H, W) or (H, W, 3), RGB
    matrix : (3, 3), affine: pixels of the first to pixels of the second

    The photo that shows less detail is what the other is reduced to, 256 pixels along the longer side at most. Windows
    of 15 pixels are compared by the normalised cross-correlation of luma (Lewis, Vision Interface 1995), which neither
    brightness nor contrast changes; a window that is flat in both photos tells nothing, one that is flat in one of them
    agrees with nothing.

    Examples
    --------
    >>> from kinfold.local.aligned import aligned
    >>> photo = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8).repeat(8, 0).repeat(8, 1)
    >>> half = aligned(photo, photo[:, 128:], [[1, 0, -128], [0, 1, 0], [0, 0, 1]])
    >>> round(half.correlation, 2), half.shared.round(1).tolist()
    (1.0, [0.5, 1.0])
    """
    cv2 = require("cv2")
    turn = np.asarray(as_array(matrix, "matrix"), np.float64)
    if turn.shape != (3, 3) or not np.isfinite(turn).all() or np.abs(turn[2, :2]).max() > 1e-6:
        raise ValueError(f"matrix: expected an affine map (3, 3), got {turn.tolist()}")
    ours, theirs = _luma(first, "first"), _luma(second, "second")
    scale = float(np.sqrt(abs(np.linalg.det(turn[:2, :2]))))
    if scale < 1e-6:
        return Aligned(0.0, 0.0, np.zeros(2), np.zeros(2), 0.0)
    if scale > 1:
        found = aligned(theirs, ours, np.linalg.inv(turn))
        sides = found.shared[::-1], found.plain[::-1]
        return Aligned(found.correlation, found.agreeing, *sides, found.compared)
    # The second one shows less detail of what both show.
    grid = min(1.0, _SIDE / max(theirs.shape))
    target, shrunk = _reduced(cv2, theirs, grid)
    source, halved = _reduced(cv2, ours, min(1.0, scale * grid))
    warp = (shrunk @ turn @ np.linalg.inv(halved))[:2]
    size = target.shape[1], target.shape[0]
    laid = cv2.warpAffine(source, warp, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones_like(source), warp, size, flags=cv2.INTER_LINEAR)
    there = inside > 1 - 1e-3
    back = cv2.warpAffine(
        np.ones_like(target),
        warp,
        source.shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    both = (source, back > 1 - 1e-3), (target, there)
    shared = np.array([seen.mean() for _, seen in both])
    plain = np.array([_plain(cv2, pixels, ~seen) for pixels, seen in both])
    correlations, told = _windows(cv2, laid, target, inside)
    if not len(correlations):
        return Aligned(0.0, 0.0, shared, plain, 0.0)
    agreeing = float((correlations > 0.5).mean())
    return Aligned(float(np.median(correlations)), agreeing, shared, plain, told)


def _plain(cv2: Any, pixels: Any, outside: NDArray[np.bool_]) -> float:
    """The share of the pixels outside that are flat, where most of what they adjoin is set off by an edge; else 0.

    Sky beside a cut is flat, too, but goes on in what was cut out.
    """
    if not outside.any():
        return 0.0
    square = np.ones((5, 5), np.uint8)
    seam = cv2.dilate(outside.astype(np.uint8), square) & cv2.dilate(
        (~outside).astype(np.uint8), square
    )
    steps = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, square)
    # Of the seam, pixels near an edge: as thick as it is.
    near = cv2.dilate((steps > _EDGE).astype(np.uint8), square)
    if not seam.any() or near[seam > 0].mean() < _SET_OFF:
        return 0.0
    flat = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) <= _LEAST_SPREAD
    return float(flat[outside].mean())


def _windows(cv2: Any, a: Any, b: Any, inside: Any) -> tuple[NDArray[np.float32], float]:
    """The correlation of each window that tells anything, and which share of those inside does."""

    def mean(x: Any) -> Any:
        return cv2.blur(x, (_WINDOW, _WINDOW), borderType=cv2.BORDER_CONSTANT)

    # The finest detail is what compression and small errors of the map change.
    a, b = (cv2.GaussianBlur(x, (0, 0), 1.0) for x in (a, b))
    whole = mean(inside) > _INSIDE
    if not whole.any():
        return np.empty(0, np.float32), 0.0
    means = mean(a), mean(b)
    spread = [np.maximum(mean(x * x) - m * m, 0) for x, m in zip((a, b), means)]
    tells = whole & (np.maximum(*spread) > _LEAST_SPREAD**2)
    product = mean(a * b) - means[0] * means[1]
    # What is all but flat is noise.
    floor = np.float32(_LEAST_SPREAD**2 / 4)
    size = np.sqrt(np.maximum(spread[0], floor) * np.maximum(spread[1], floor))
    return (product / size)[tells], float(tells.sum() / whole.sum())


def _luma(pixels: Any, name: str) -> NDArray[np.float32]:
    array = as_array(pixels, name)
    if array.ndim == 3 and array.shape[2] == 3:
        array = array.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    if array.ndim != 2 or min(array.shape) < 1:
        raise ValueError(f"{name}: expected pixels (H, W) or (H, W, 3), got shape {array.shape}")
    return np.ascontiguousarray(array, np.float32)


def _reduced(cv2: Any, pixels: Any, share: float) -> tuple[Any, NDArray[np.float64]]:
    """Reduced to about this share, and the map to it, whose pixels' centres are at whole numbers."""
    height, width = pixels.shape
    size = max(1, round(width * share)), max(1, round(height * share))
    if size == (width, height):
        return pixels, np.eye(3)
    x, y = size[0] / width, size[1] / height
    turn = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), turn


call_by_name(__name__)
