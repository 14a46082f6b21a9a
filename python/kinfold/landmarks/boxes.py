"""Where the object of matched photos is: boxes around what pairs have in common, brought to agree with one another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_count, as_number
from kinfold.landmarks.geometric_median import geometric_median
from kinfold.local.verify import project

Boxes = NDArray[np.float64]


def object_boxes(
    sizes: Any,
    pairs: Any,
    maps: Any,
    boxes: Any,
    *,
    step: float = 0.1,
    tolerance: float = 0.01,
    rounds: int = 200,
) -> Boxes:
    """The box of the object in each photo, float64 (n, 4): x0, y0, x1, y1; NaN for photos of no pair.

    sizes : (n, 2), width and height of the photos
    pairs : int (m, 2), photos that were confirmed to show the same thing
    maps : (m, 3, 3), pixels of the first to those of the second
    boxes : (m, 2, 4), around what the pair has in common, in the first and in the second: ``MatchGraph.boxes``
    step : eta, how far a box moves towards what the others say
    tolerance : no side of any box moves by this share of the box's length, or more: then it is over
    rounds : or after so many

    A photo's box begins as the geometric median of its pairs' boxes. Then over and over, for all photos at once,
        B_j becomes (1 - eta) B_j + eta (the geometric median, over the pairs of j, of A_ij B_i),
    cut off at the photo's edges. (The median of the boxes each moved by eta is the same: it moves and grows with its
    points.) Gordo, Almazan, Revaud & Larlus, ECCV 2016, section 3.4; medians are of boxes as points of four numbers.

    A_ij B_i is the box around where the map brings the middles of the sides of B_i, as far as it lies in the photo. The
    box around its corners would grow with every map that turns; this one shrinks by the cosine of the angle.
    """
    frame, edges, forward, seen = _checked(sizes, pairs, maps, boxes)
    as_number(step, "step", least=0, most=1, open=True)
    as_number(tolerance, "tolerance", least=0)
    n = len(frame)
    found = np.full((n, 4), np.nan)
    if not len(edges):
        return found
    source, target = edges.ravel("F"), edges[:, ::-1].ravel("F")
    both = np.concatenate([forward, np.linalg.inv(forward)])
    start = geometric_median(seen.transpose(1, 0, 2).reshape(-1, 4), source)
    found[: len(start)] = start
    for _ in range(as_count(rounds, "rounds", least=0)):
        told = _within(_mapped(found[source], both), frame[target])
        use = np.isfinite(told).all(1)
        middle = np.full((n, 4), np.nan)
        part = geometric_median(told[use], target[use])
        middle[: len(part)] = part
        # Whom nobody tells anything stays where it is.
        middle = np.where(np.isnan(middle), found, middle)
        moved = _within((1 - step) * found + step * middle, frame)
        lengths = np.maximum(np.hstack([found[:, 2:] - found[:, :2]] * 2), 1.0)
        change = np.nanmax(np.abs(moved - found) / lengths)
        found = moved
        if change < tolerance:
            break
    return found


def _mapped(boxes: Boxes, maps: NDArray[np.float64]) -> Boxes:
    """The box around the images of the middles of each box's sides; infinite beyond a map's horizon."""
    x0, y0, x1, y1 = boxes.T
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    middles = np.stack([x0, y, x1, y, x, y0, x, y1], 1).reshape(-1, 4, 2)
    there = np.array([project(points, matrix) for points, matrix in zip(middles, maps)])
    return np.hstack([there.min(1), there.max(1)])


def _within(boxes: Boxes, frame: NDArray[np.float64]) -> Boxes:
    """Boxes cut off at their photos' edges; infinite ones, and those beside the photo, as NaN."""
    inside = np.minimum(np.maximum(boxes, 0), np.hstack([frame, frame]))
    empty = (inside[:, 2:] - inside[:, :2] <= 0).any(1) | ~np.isfinite(boxes).all(1)
    inside[empty] = np.nan
    return inside


def _checked(
    sizes: Any, pairs: Any, maps: Any, boxes: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    frame = as_array(sizes, "sizes").astype(np.float64)
    if frame.ndim != 2 or frame.shape[1:] != (2,) or not (frame > 0).all():
        raise ValueError(f"sizes: expected widths and heights above 0, got shape {frame.shape}")
    edges = np.asarray(pairs)
    m = len(edges) if edges.ndim else 0
    if not m:
        return frame, np.empty((0, 2), np.int64), np.empty((0, 3, 3)), np.empty((0, 2, 4))
    if edges.shape != (m, 2) or edges.dtype.kind not in "iu":
        raise ValueError(f"pairs: expected whole numbers (m, 2), got shape {edges.shape}")
    if edges.min() < 0 or edges.max() >= len(frame) or (edges[:, 0] == edges[:, 1]).any():
        raise ValueError(f"pairs: expected two different photos from 0 below {len(frame)} in each")
    forward = as_array(maps, "maps").astype(np.float64)
    if forward.shape != (m, 3, 3) or not np.isfinite(forward).all():
        raise ValueError(f"maps: expected finite numbers ({m}, 3, 3), got shape {forward.shape}")
    if (np.linalg.matrix_rank(forward) < 3).any():
        raise ValueError("maps: expected maps that can be inverted")
    seen = as_array(boxes, "boxes").astype(np.float64)
    if seen.shape != (m, 2, 4) or not (seen[..., 2:] >= seen[..., :2]).all():
        raise ValueError(f"boxes: expected x0, y0, x1, y1 ({m}, 2, 4), got shape {seen.shape}")
    return frame, edges.astype(np.int64), forward, seen
