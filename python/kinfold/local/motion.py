"""What moves between two frames, less what the camera does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_count, as_number
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures
from kinfold.base.offered import call_by_name
from kinfold.images.resize import as_pixels
from kinfold.local.verify import project, verify

Points = NDArray[np.float32]
# A point that is followed to the second frame and back must return to within so many pixels.
_RETURN = 0.5
# The camera's map explains a point to within so many pixels: with more it would bend to what moves a little.
_TOLERANCE = 0.25


@dataclass(frozen=True)
class Motion:
    """How points of one frame move to the next.

    points : float32 (n, 2), x and y in pixels of the first frame
    shifts : float32 (n, 2), how each moves beyond what the camera's motion explains, in pixels
    moving : bool (n,), whether that is more than the threshold
    camera : float64 (3, 3), the homography that takes the first frame to the second; the identity where there is none
    """

    points: Points
    shifts: Points
    moving: NDArray[np.bool_]
    camera: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Of the points, how many move: 0 to 1; 0 where there are no points."""
        return float(self.moving.mean()) if len(self.moving) else 0.0


def follow(first: Any, second: Any, *, most: int = 1000) -> tuple[Points, Points]:
    """Points of a frame, and where they are in the next: float32 (n, 2) each, x and y in pixels.

    Corners (Shi & Tomasi, CVPR 1994), followed by pyramidal Lucas-Kanade (Bouguet 2000) to the second frame and back;
    those that do not return are left out (Kalal, Mikolajczyk & Matas, ICPR 2010).

    first, second : pixels uint8 (H, W, 3) of one size
    most : points, the best corners
    """
    cv2 = require("cv2")
    one, two = as_pixels(first, "first"), as_pixels(second, "second")
    if one.shape != two.shape:
        raise ValueError(f"second: expected the size of the first, {one.shape}, got {two.shape}")
    greys = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (one, two)]
    apart = max(3, round(min(one.shape[:2]) / 100))
    corners = cv2.goodFeaturesToTrack(greys[0], as_count(most, "most"), 0.01, apart)
    if corners is None:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    points = corners.reshape(-1, 1, 2)
    there, found, _ = cv2.calcOpticalFlowPyrLK(*greys, points, None)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(*greys[::-1], there, None)
    near = np.linalg.norm((back - points)[:, 0], axis=1) <= _RETURN
    kept = near & (found[:, 0] == 1) & (returned[:, 0] == 1)
    return points[kept, 0], there[kept, 0]


def motion(
    first: Any, second: Any, *, threshold: float = 0.5, most: int = 1000, seed: int = 0
) -> Motion:
    """What moves from one frame to the next, pixels uint8 (H, W, 3) of one size.

    The camera's motion is the homography that explains most of the points, by samples of four; a point moves if it
    goes more than ``threshold`` pixels elsewhere than that says.

    Wang & Gupta, ICCV 2015, section 3, with corners followed from frame to frame in place of SURF and improved dense
    trajectories.

    most : points looked at
    seed : of the samples
    """
    least = as_number(threshold, "threshold", least=0)
    points, there = follow(first, second, most=most)
    camera = np.eye(3)
    if len(points) >= 4:
        found = verify(
            _placed(points), _placed(there), np.repeat(np.arange(len(points))[:, None], 2, axis=1),
            model="homography", hypotheses="sampled", seed=seed, scale_factor=1e6, samples=1000,
            coarse_tolerance=2 * _TOLERANCE, tolerance=_TOLERANCE,
        )  # fmt: skip
        if found.inliers:
            camera = found.matrix
    shifts = (there - project(points, camera)).astype(np.float32)
    return Motion(points, shifts, np.linalg.norm(shifts, axis=1) > least, camera)


def busiest(
    points: Any, shape: tuple[int, int], window: tuple[int, int]
) -> tuple[tuple[int, int, int, int], int]:
    """The window of a frame that holds most points: its box x0, y0, x1, y1, and how many it holds.

    All places at whole pixels are compared, by sums over the image. Of several with as many, the one in whose middle
    the points lie best.

    points : float (n, 2), x and y in pixels
    shape : height and width of the frame
    window : height and width of the window, no larger than the frame
    """
    height, width = (as_count(side, "shape") for side in shape)
    rows = as_count(window[0], "window", most=height)
    columns = as_count(window[1], "window", most=width)
    x, y = as_array(points, "points").reshape(-1, 2).T
    # A pixel reaches half a pixel about its centre.
    place = np.clip(np.floor(np.array([y, x]) + 0.5).astype(int), 0, [[height - 1], [width - 1]])
    sums = np.zeros((height + 1, width + 1), np.int64)
    np.add.at(sums, (place[0] + 1, place[1] + 1), 1)
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    counts = (
        sums[rows:, columns:]
        - sums[:-rows, columns:]
        - sums[rows:, :-columns]
        + sums[:-rows, :-columns]
    )
    most = int(counts.max())
    tops, lefts = np.nonzero(counts == most)
    # Of the points of one such window the middle, of a frame without points its own.
    inside = (place[0] - tops[0]) % height < rows
    inside &= (place[1] - lefts[0]) % width < columns
    middle = place[:, inside].mean(axis=1) if most else np.array([height, width]) / 2
    centre = middle - np.array([rows, columns]) / 2
    best = int(np.argmin((tops - centre[0]) ** 2 + (lefts - centre[1]) ** 2))
    top, left = int(tops[best]), int(lefts[best])
    return (left, top, left + columns, top + rows), most


def _placed(points: Points) -> LocalFeatures:
    """Points as verification takes them: without sizes, directions and descriptors."""
    n = len(points)
    return LocalFeatures(
        points, np.ones(n, np.float32), np.zeros(n, np.float32), np.empty((n, 0), np.float32)
    )


call_by_name(__name__)
