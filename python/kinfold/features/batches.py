"""Photos on their way to a network: decoded ahead by a thread, and put together by size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, as_pixels, fit, resize, to_shorter, uncropped

# Photos held back to find some of equal size.
WINDOW = 32


def fitted(photo: Any, max_side: int) -> Pixels:
    """A photo, pixels uint8 (H, W, 3) or a file, with the longer side at most max_side."""
    if isinstance(photo, (str, os.PathLike)):
        return decode(photo, max_side=max_side).pixels
    return fit(as_pixels(photo), max_side)


def squared(photo: Any, side: int, *, crop: bool = False) -> Pixels:
    """A photo, pixels or a file, as a square (side, side, 3).

    crop : bring the shorter side to 8/7 of ``side`` and cut out the centre; else warp the whole photo
    """
    pixels = decode(photo).pixels if isinstance(photo, (str, os.PathLike)) else as_pixels(photo)
    if not crop:
        return resize(pixels, side, side)
    pixels = to_shorter(pixels, uncropped(side))
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side].copy()


def windows(photos: Iterable[Any], prepare: Callable[[Any], Any]) -> Iterator[list[Any]]:
    """Some prepared photos at a time; the next are prepared, by a thread, while these are worked on."""
    incoming = iter(photos)

    def some() -> list[Any]:
        return [prepare(photo) for photo in islice(incoming, WINDOW)]

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as thread:
        coming = thread.submit(some)
        while window := coming.result():
            coming = thread.submit(some)
            yield window


def by_size(window: list[Pixels], batch: int) -> Iterator[list[int]]:
    """Rows of equal shape, at most a batch of them."""
    same: dict[tuple[int, ...], list[int]] = {}
    for row, pixels in enumerate(window):
        same.setdefault(pixels.shape, []).append(row)
    for rows in same.values():
        yield from (rows[i : i + batch] for i in range(0, len(rows), batch))
