"""Pairs of patches that show one thing, found by following what moves in videos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_count, as_number
from kinfold.base.errors import ImageError
from kinfold.base.progress import progress
from kinfold.images.resize import Pixels, fit, resize
from kinfold.images.video import frames
from kinfold.local.kcf import KCF, Box
from kinfold.local.motion import busiest, motion

# A box of which less than this share is still in the frame shows something else.
_LEAST_INSIDE = 0.75


@dataclass(frozen=True)
class TrackedPairs:
    """n pairs of patches: what was followed, in the first frame and in the last.

    first, last : uint8 (n, side, side, 3), RGB
    videos : int64 (n,), which of the videos
    frames : int64 (n, 2), the frames' indices
    boxes : float32 (n, 2, 4), x0, y0, x1, y1 in pixels of the frames as they were looked at
    sharpness : float32 (n,), the least peak-to-sidelobe ratio on the way
    """

    first: Pixels
    last: Pixels
    videos: Ids
    frames: NDArray[np.int64]
    boxes: NDArray[np.float32]
    sharpness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.videos)


@dataclass
class _Track:
    """What is being followed."""

    start: int
    box: Box
    patch: Pixels
    tracker: KCF
    sharpness: float = np.inf


def mine_tracks(
    videos: Sequence[Any],
    *,
    length: int = 30,
    every: int = 5,
    side: int = 110,
    window: float = 227 / 448,
    max_side: int = 600,
    threshold: float = 0.5,
    least: float = 0.25,
    most: float = 0.75,
    least_sharpness: float = 8.0,
    on_error: Callable[[str, str], None] | None = None,
    seed: int = 0,
    verbose: bool = True,
) -> TrackedPairs:
    """Follow the busiest window of frames, and keep how it looks at both ends.

    Wang & Gupta, ICCV 2015, section 3. Of every so many frames the points that move beside the camera are found; where
    they are a quarter to three quarters of all, the square window with most of them is followed by a correlation
    filter. Fewer are noise, more are the camera. A track whose filter's response is not sharp on the way, or that
    leaves the frame, gives no pair.

    videos : files, or iterables of frames uint8 (H, W, 3)
    length : frames from the first patch to the last
    every : frames from the start of a track to that of the next; tracks overlap
    side : of the patches; 110 is what squares of 96 are cut from at random
    window : the side of what is followed, as a share of the frame's shorter side (of 227 in 448 pixels)
    max_side : frames are reduced to this; threshold is in their pixels
    threshold, least, most : see local.motion; the shares of moving points between which a frame is taken
    least_sharpness : see local.kcf; where a film is cut a filter's response may still be a little above the usual 5
    on_error : called with a file's name and the reason where it cannot be read; without it, ImageError
    seed : of the camera's motion
    """
    steps, between = as_count(length, "length"), as_count(every, "every")
    patch_side, longest = as_count(side, "side", least=8), as_count(max_side, "max_side", least=32)
    share = as_number(window, "window", least=0.05, most=1.0)
    low, high = as_number(least, "least", least=0, most=1), as_number(most, "most", least=0, most=1)
    if low > high:
        raise ValueError(f"least: expected at most most, {high}, got {low}")
    if isinstance(videos, (str, os.PathLike)):
        raise ValueError(f"videos: expected several, got {str(videos)!r}")

    def starts(before: Pixels, now: Pixels) -> Box | None:
        """The window that a track begins with."""
        found = motion(before, now, threshold=threshold, seed=seed)
        if not low <= found.share <= high or not found.moving.any():
            return None
        across = max(8, round(share * min(now.shape[:2])))
        return busiest(found.points[found.moving], now.shape[:2], (across, across))[0]

    def tracks(video: Any) -> Iterator[tuple[_Track, int, Pixels]]:
        """Tracks that came to their end, with their last frame."""
        before: Pixels | None = None
        active: list[_Track] = []
        for index, whole in enumerate(_pixels(video)):
            now = fit(whole, longest)
            if before is not None and before.shape != now.shape:
                before, active = None, []
            if before is not None and (index - 1) % between == 0:
                box = starts(before, now)
                if box is not None:
                    tracker = KCF(before, box, least_sharpness=least_sharpness)
                    patch = _patch(before, box, patch_side)
                    active.append(_Track(index - 1, box, patch, tracker))
            going = []
            for track in active:
                found = track.tracker.update(now)
                track.sharpness = min(track.sharpness, found.sharpness)
                if found.lost or _inside(found.box, now) < _LEAST_INSIDE:
                    continue
                if index - track.start == steps:
                    yield track, index, now
                else:
                    going.append(track)
            active, before = going, now

    rows: list[tuple[Any, ...]] = []
    for number, video in enumerate(progress(videos, "videos", verbose=verbose, total=len(videos))):
        try:
            for track, index, pixels in tracks(video):
                end = track.tracker.box
                rows.append((
                    track.patch, _patch(pixels, end, patch_side), number, (track.start, index),
                    (track.box, end), track.sharpness,
                ))  # fmt: skip
        except ImageError as error:
            name = os.fspath(video) if isinstance(video, (str, os.PathLike)) else f"video {number}"
            if on_error is None:
                raise ImageError(f"{name}: {error}", error.cause) from error
            on_error(name, str(error))
    return _gathered(rows, patch_side)


def _gathered(rows: list[tuple[Any, ...]], side: int) -> TrackedPairs:
    first, last, videos, indices, boxes, sharpness = zip(*rows) if rows else ((),) * 6
    return TrackedPairs(
        np.array(first, np.uint8).reshape(-1, side, side, 3),
        np.array(last, np.uint8).reshape(-1, side, side, 3),
        np.array(videos, np.int64),
        np.array(indices, np.int64).reshape(-1, 2),
        np.array(boxes, np.float32).reshape(-1, 2, 4),
        np.array(sharpness, np.float32),
    )


def _pixels(video: Any) -> Iterable[Pixels]:
    if isinstance(video, (str, os.PathLike)):
        return (pixels for _, pixels in frames(video))
    return video


def _inside(box: Box, pixels: Pixels) -> float:
    """Which share of a box lies in the frame."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    across = max(min(x1, width) - max(x0, 0), 0) / (x1 - x0)
    return across * max(min(y1, height) - max(y0, 0), 0) / (y1 - y0)


def _patch(pixels: Pixels, box: Box, side: int) -> Pixels:
    """What a box shows, moved into the frame where it reaches out, as a square."""
    height, width = pixels.shape[:2]
    across, down = (min(round(box[i + 2] - box[i]), (width, height)[i]) for i in (0, 1))
    left = min(max(round(box[0]), 0), width - across)
    top = min(max(round(box[1]), 0), height - down)
    return resize(pixels[top : top + down, left : left + across], side, side)
