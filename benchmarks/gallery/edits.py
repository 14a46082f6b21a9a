"""Edits of photos, each at five strengths: what the ladder of copies is made of."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
# Contrast, brightness, saturation.
_TONES = ((1.1, 5, 1.1), (1.25, 10, 0.8), (0.7, 30, 0.5), (1.5, -20, 0.2), (0.5, 60, 0.0))


def _jpeg(pixels: Pixels, quality: int) -> Pixels:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def crop(pixels: Pixels, level: int) -> Pixels:
    """So much of each side is kept, off the centre."""
    share = (0.9, 0.8, 0.7, 0.6, 0.5)[level]
    height, width = pixels.shape[:2]
    h, w = round(height * share), round(width * share)
    y, x = round((height - h) * 0.3), round((width - w) * 0.6)
    return _jpeg(pixels[y : y + h, x : x + w], 90)


def resize(pixels: Pixels, level: int) -> Pixels:
    """Smaller, down to a quarter of each side."""
    share = (0.8, 0.6, 0.45, 0.35, 0.25)[level]
    return _jpeg(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), 90)


def recompression(pixels: Pixels, level: int) -> Pixels:
    """As JPEG of less and less quality."""
    return _jpeg(pixels, (75, 50, 30, 20, 10)[level])


def rotation(pixels: Pixels, level: int) -> Pixels:
    """By some degrees, corners cut off and filled with black; or by 90."""
    degrees = (2, 5, 12, 30, 90)[level]
    if degrees == 90:
        return _jpeg(np.ascontiguousarray(np.rot90(pixels)), 90)
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return _jpeg(cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR), 90)


def mirror(pixels: Pixels, level: int) -> Pixels:
    """Left to right, with less and less quality and size."""
    turned = np.ascontiguousarray(pixels[:, ::-1])
    return resize(turned, level - 1) if level else _jpeg(turned, 90)


def overlay(pixels: Pixels, level: int) -> Pixels:
    """A bar with words over some of it."""
    share = (0.05, 0.1, 0.15, 0.2, 0.3)[level]
    out, height, width = pixels.copy(), *pixels.shape[:2]
    top = round(height * (0.9 - share))
    cv2.rectangle(out, (0, top), (width, top + round(height * share)), (30, 30, 220), -1)
    cv2.putText(
        out, "look at this", (width // 10, top + round(height * share * 0.8)),
        cv2.FONT_HERSHEY_SIMPLEX, height * share / 30, (255, 255, 255), max(1, round(height * share / 12)),
    )  # fmt: skip
    return _jpeg(out, 85)


def screenshot(pixels: Pixels, level: int) -> Pixels:
    """On a page with bars, smaller and smaller."""
    share = (0.9, 0.8, 0.7, 0.6, 0.45)[level]
    height, width = pixels.shape[:2]
    page = np.full((round(height * 1.2), width, 3), 245, np.uint8)
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    y, x = round(height * 0.12), (width - small.shape[1]) // 2
    page[y : y + small.shape[0], x : x + small.shape[1]] = small
    page[: round(height * 0.08)] = (90, 60, 40)
    for line in range(4):
        cv2.putText(
            page, "posted by someone, 12 comments", (10, y + small.shape[0] + 22 * (line + 1)),
            cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60, 60, 60), 1,
        )  # fmt: skip
    return _jpeg(page, 85)


def tone(pixels: Pixels, level: int) -> Pixels:
    """Brighter, with other contrast and colours."""
    gain, lift, saturation = _TONES[level]
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[:, :, None].astype(np.float32)
    out = grey + saturation * (pixels.astype(np.float32) - grey)
    return _jpeg(np.clip(out * gain + lift, 0, 255).astype(np.uint8), 90)


EDITS: dict[str, Callable[[Pixels, int], Pixels]] = {
    made.__name__: made
    for made in (crop, resize, recompression, rotation, mirror, overlay, screenshot, tone)
}
STRENGTHS = 5
