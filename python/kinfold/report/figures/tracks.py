"""Pairs of patches from a video in which something moves."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kinfold.base.extras import require
from kinfold.learn.mine.tracks import mine_tracks
from kinfold.local.motion import motion
from kinfold.report.figure import write_png
from kinfold.report.figures.photos import bare, draw_box, figure_of, rendered
from kinfold.report.figures.plane import BLUE, GREEN, GREY, RED

_FRAMES, _EVERY, _SIZE = 31, 10, (360, 264)
# Pixels that the camera, and the lorry on its picture, move each frame; and where the lorry stands.
_PAN, _DRIVE, _GROUND = 1.2, 4.4, 240


def video_pairs(path: str | os.PathLike[str]) -> None:
    """In a video that a moving camera takes, what moves beside the camera is found, followed for 30 frames, and kept
    as it looks at both ends.

    Points that the camera's motion explains are grey, others red. The square with most of them is followed by a
    correlation filter; its first and its last patch are a pair that shows one thing, and nobody has labelled anything.
    """
    film = _film()
    pairs = mine_tracks(
        [film], length=_FRAMES - 1, every=_EVERY, side=96, window=0.42, least=0.1, least_sharpness=5, verbose=False
    )  # fmt: skip
    moved = motion(film[0], film[1])
    figure, axes = figure_of((10.4, 2.9), 1, 4, width_ratios=[1.6, 1.6, 0.7, 0.7])
    axes[0].imshow(film[0])
    for part, colour in ((~moved.moving, GREY), (moved.moving, RED)):
        axes[0].scatter(*moved.points[part].T, s=7, color=colour, linewidths=0)
    axes[0].set_title("what moves beside the camera", fontsize=9)
    axes[1].imshow(film[-1])
    axes[1].set_title(f"frame {_FRAMES - 1}", fontsize=9)
    draw_box(axes[0], pairs.boxes[0, 0], BLUE)
    draw_box(axes[1], pairs.boxes[0, 1], GREEN)
    for shown, patch, word in zip(
        axes[2:], (pairs.first[0], pairs.last[0]), ("first patch", "last patch")
    ):
        shown.imshow(patch)
        shown.set_title(word, fontsize=9)
    bare(axes)
    write_png(path, figure)


def _film() -> list[Any]:
    """Frames uint8 (h, w, 3): a rendered street, over which the camera pans while a painted lorry drives through."""
    cv2 = require("cv2")
    scenes = rendered(2)
    street, wide_high = scenes[0][0], _SIZE
    lorry = _lorry(scenes[1][0]).astype(np.float32)
    frames = []
    for at in range(_FRAMES):
        view = np.array([[1, 0, -_PAN * at - 20], [0, 1, -60]], np.float32)
        place = np.array([[1, 0, 20 + _DRIVE * at], [0, 1, _GROUND - len(lorry)]], np.float32)
        seen = cv2.warpAffine(street, view, wide_high, borderMode=cv2.BORDER_REPLICATE)
        laid = cv2.warpAffine(lorry, place, wide_high)
        share = laid[..., 3:] / 255
        frames.append(np.clip(seen * (1 - share) + laid[..., :3] * share, 0, 255).astype(np.uint8))
    return frames


def _lorry(painting: Any) -> Any:
    """RGBA uint8 (h, w, 4): a lorry with a picture on its side."""
    cv2 = require("cv2")
    picture = np.zeros((112, 168, 4), np.uint8)
    picture[4:96, 4:124, :3] = cv2.resize(painting, (120, 92), interpolation=cv2.INTER_AREA)
    picture[4:96, 4:124, 3] = 255
    picture[34:96, 126:164] = (176, 52, 40, 255)
    picture[42:64, 138:160] = (70, 84, 98, 255)
    for x in (30, 100, 146):
        cv2.circle(picture, (x, 96), 14, (26, 26, 26, 255), -1)
        cv2.circle(picture, (x, 96), 6, (150, 150, 150, 255), -1)
    return picture
