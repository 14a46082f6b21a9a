"""Images at other sizes, on numpy's arrays: bilinear, over the area that a new pixel covers, as torch has it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]


def resampled(images: Images, height: int, width: int) -> Images:
    """Images (n, c, h, w) at another size; the same array where they have it."""
    rows, columns = images.shape[2:]
    if (rows, columns) == (height, width):
        return images
    images = images if columns == width else images @ _weights(columns, width).T
    images = images if rows == height else _weights(rows, height) @ images
    return np.ascontiguousarray(images, np.float32)


@functools.lru_cache(maxsize=64)
def _weights(old: int, new: int) -> Images:
    """What new pixels have of old ones, (new, old): a triangle as wide as the step between new ones, at least 1."""
    step = old / new
    reach = max(step, 1.0)
    centres = (np.arange(new) + 0.5) * step
    distances = np.abs(np.arange(old) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0, 1 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
