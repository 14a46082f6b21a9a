"""Photos as a classifier sees them while it learns: a random square, mirrored every other time."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, as_pixels, to_shorter, uncropped


def random_square(photo: Any, side: int, random: np.random.Generator) -> Pixels:
    """A random square (side, side, 3) of a photo whose shorter side is brought to 8/7 of it.

    photo : pixels uint8 (H, W, 3) or a file
    Krizhevsky, Sutskever & Hinton, NIPS 2012, section 4.1.
    """
    pixels = decode(photo).pixels if isinstance(photo, (str, os.PathLike)) else as_pixels(photo)
    pixels = to_shorter(pixels, uncropped(side))
    top, left = (random.integers(length - side + 1) for length in pixels.shape[:2])
    square = pixels[top : top + side, left : left + side]
    return np.ascontiguousarray(square[:, ::-1] if random.random() < 0.5 else square)
