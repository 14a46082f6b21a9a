"""The colours around local features, which SIFT does not see: it describes grey."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_array
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures

# Places of a feature: its centre, four around it and four further out, in its own frame, in radii of the keypoint.
_INNER, _OUTER = 3.0, 6.0
_PLACES = np.array(
    [(0.0, 0.0)]
    + [(_INNER * np.cos(t), _INNER * np.sin(t)) for t in np.pi * np.array([1, 3, 5, 7]) / 4]
    + [(_OUTER * np.cos(t), _OUTER * np.sin(t)) for t in np.pi * np.array([0, 2, 4, 6]) / 4]
)
# Each place is seen through a blur of about so many radii, from a pyramid of this many levels at most.
_BLUR, _LEVELS = 1.5, 6
# Lightness counts so much beside the two axes of colour, in units of CIE L*a*b*.
_LIGHTNESS = 0.5
WIDTH = 3 * len(_PLACES)
# Changes with whatever changes the stored colours: codebooks fit no others.
COLOURS = "lab9"


def colours(pixels: Any, features: LocalFeatures) -> NDArray[np.uint8]:
    """Colours at nine places around each feature, in its frame of place, scale and direction: uint8 (n, 27).

    pixels : uint8 (H, W, 3) RGB, that the features lie in
    Rows hold L*, a*, b* of CIE 1976 place by place, as 255 L / 100, a + 128, b + 128. Places beyond the border take
    the colour at it.
    """
    cv2 = require("cv2")
    image = np.asarray(pixels)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"pixels: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
    found = np.zeros((len(features), len(_PLACES), 3), np.uint8)
    if not len(features):
        return found.reshape(0, WIDTH)
    pyramid = [cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2Lab)]
    while len(pyramid) < _LEVELS and min(pyramid[-1].shape[:2]) > 8:
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    blur = np.maximum(features.scales * _BLUR, 1e-3)
    levels = np.clip(np.rint(np.log2(blur)), 0, len(pyramid) - 1).astype(int)
    c, s = np.cos(features.angles), np.sin(features.angles)
    turn = np.stack([np.stack([c, -s], 1), np.stack([s, c], 1)], 1) * features.scales[:, None, None]
    places = features.positions[:, None, :] + np.einsum("nij,pj->npi", turn, _PLACES)
    for level, seen in enumerate(pyramid):
        rows = np.flatnonzero(levels == level)
        # A level holds every second pixel of the one before, from the first on.
        last = np.array([seen.shape[1] - 1, seen.shape[0] - 1])
        x = np.clip(np.rint(places[rows] / 2.0**level), 0, last).astype(np.intp)
        found[rows] = seen[x[..., 1], x[..., 0]]
    return found.reshape(len(features), WIDTH)


def colour_vectors(stored: Any) -> Vectors:
    """What is compared of stored colours uint8 (n, 27): float32 (n, 27) in units of CIE L*a*b*.

    Lightness is taken relative to the feature's mean, and counts half: what light changes most says least.
    """
    rows = as_array(stored, "colours")
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"colours: expected uint8 (n, {WIDTH}), got {rows.dtype} {rows.shape}")
    lab = rows.reshape(-1, len(_PLACES), 3).astype(np.float32)
    lab[..., 0] -= lab[..., 0].mean(axis=1, keepdims=True)
    lab[..., 0] *= _LIGHTNESS * 100 / 255
    lab[..., 1:] -= 128
    return lab.reshape(-1, WIDTH)
