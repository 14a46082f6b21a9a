"""Cut-out figures that stand before buildings: trees, people, lamps, cars, statues. RGBA, feet at the bottom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kinfold.base.extras import require
from kinfold.datasets.facade import Image, Random


def _blank(height: int, width: int) -> Image:
    return np.zeros((height, width, 4), np.uint8)


def _near(rng: Random, colour: tuple[int, int, int], amount: int) -> tuple[int, int, int, int]:
    drift = rng.integers(-amount, amount + 1, 3)
    r, g, b = (min(max(c + int(d), 0), 255) for c, d in zip(colour, drift))
    return r, g, b, 255


def tree(rng: Random) -> Image:
    """A trunk under a crown of leaves with holes in it."""
    cv2 = require("cv2")
    picture = _blank(420, 320)
    bark = _near(rng, (84, 66, 50), 12)
    cv2.fillConvexPoly(
        picture, np.array([(150, 180), (170, 180), (178, 419), (142, 419)]), bark, cv2.LINE_AA
    )
    for _ in range(6):
        tip = int(rng.integers(50, 270)), int(rng.integers(40, 190))
        cv2.line(picture, (160, int(rng.integers(190, 300))), tip, bark, 6, cv2.LINE_AA)
    leaf = rng.integers((44, 88, 36), (90, 124, 60))
    clumps = rng.normal((160, 130), (62, 52), (26, 2))
    # Dark leaves first: light falls from above.
    for layer, tone in enumerate((0.55, 0.8, 1.05)):
        shape = (len(clumps), 34)
        spots = rng.normal((0, -9 * layer), (20, 17), (*shape, 2)) + clumps[:, None]
        tones = np.clip(leaf * tone + rng.integers(-13, 14, (*shape, 3)), 0, 255)
        sizes = rng.integers(3, 8, shape)
        for spot, size, (r, g, b) in zip(
            spots.reshape(-1, 2).astype(int).tolist(),
            sizes.ravel().tolist(),
            tones.reshape(-1, 3).tolist(),
        ):
            cv2.circle(picture, spot, size, (r, g, b, 255), -1)
    return picture


def person(rng: Random) -> Image:
    """Someone in random clothes."""
    cv2 = require("cv2")
    picture = _blank(180, 70)
    skin = _near(rng, [(224, 184, 156), (150, 104, 78), (96, 66, 50)][int(rng.integers(3))], 12)
    shirt, legs = (tuple(int(c) for c in rng.integers(20, 225, 3)) for _ in range(2))
    stride = int(rng.integers(2, 13))
    for sign in (-1, 1):
        cv2.line(
            picture, (35 + 6 * sign, 98), (35 + sign * stride, 174), (*legs, 255), 13, cv2.LINE_AA
        )
        elbow = 35 + sign * (20 + stride // 3)
        cv2.line(picture, (35 + 14 * sign, 48), (elbow, 92), (*shirt, 255), 9, cv2.LINE_AA)
    cv2.rectangle(picture, (20, 42), (50, 106), (*shirt, 255), -1)
    cv2.ellipse(picture, (35, 44), (17, 9), 0, 180, 360, (*shirt, 255), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (35, 21), (11, 14), 0, 0, 360, skin, -1, cv2.LINE_AA)
    hair = _near(rng, (70, 50, 36), 40)
    cv2.ellipse(picture, (35, 16), (12, 10), 0, 170, 370, hair, -1, cv2.LINE_AA)
    return picture


def lamp(rng: Random) -> Image:
    """A street lamp."""
    cv2 = require("cv2")
    picture = _blank(420, 70)
    iron = _near(rng, (46, 50, 52), 10)
    cv2.line(picture, (35, 70), (35, 419), iron, 8, cv2.LINE_AA)
    cv2.rectangle(picture, (24, 380), (46, 419), iron, -1)
    cv2.fillConvexPoly(
        picture, np.array([(22, 16), (48, 16), (42, 70), (28, 70)]), (250, 240, 206, 255)
    )
    cv2.polylines(picture, [np.array([(22, 16), (48, 16), (42, 70), (28, 70)])], True, iron, 4)
    cv2.fillConvexPoly(picture, np.array([(16, 18), (35, 2), (54, 18)]), iron)
    return picture


def car(rng: Random) -> Image:
    """A parked car from the side."""
    cv2 = require("cv2")
    picture = _blank(150, 400)
    paints = [
        (170, 40, 40),
        (40, 70, 130),
        (220, 220, 216),
        (40, 42, 46),
        (120, 126, 130),
        (60, 110, 84),
    ]
    paint = _near(rng, paints[int(rng.integers(len(paints)))], 14)
    roof = np.array([(92, 68), (136, 16), (268, 16), (324, 68)])
    cv2.fillConvexPoly(picture, roof, paint, cv2.LINE_AA)
    body = np.array([(12, 74), (60, 64), (340, 64), (388, 84), (392, 122), (8, 122)])
    cv2.fillConvexPoly(picture, body, paint, cv2.LINE_AA)
    glass = (70, 84, 96, 255)
    cv2.fillConvexPoly(
        picture, np.array([(112, 62), (142, 26), (196, 26), (196, 62)]), glass, cv2.LINE_AA
    )
    cv2.fillConvexPoly(
        picture, np.array([(206, 26), (262, 26), (302, 62), (206, 62)]), glass, cv2.LINE_AA
    )
    dark = (int(paint[0] * 0.6), int(paint[1] * 0.6), int(paint[2] * 0.6), 255)
    cv2.line(picture, (201, 66), (201, 118), dark, 3)
    cv2.line(picture, (20, 96), (386, 96), dark, 3)
    cv2.circle(picture, (22, 88), 9, (246, 236, 196, 255), -1, cv2.LINE_AA)
    cv2.circle(picture, (382, 94), 8, (190, 40, 36, 255), -1, cv2.LINE_AA)
    for x in (88, 312):
        cv2.circle(picture, (x, 118), 31, (26, 26, 28, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 118), 17, (150, 152, 156, 255), -1, cv2.LINE_AA)
    return picture


def statue(rng: Random) -> Image:
    """A bronze figure on a pedestal, in a pose of its own."""
    cv2 = require("cv2")
    picture = _blank(400, 200)
    metal = _near(rng, [(94, 116, 102), (112, 92, 66), (168, 164, 156)][int(rng.integers(3))], 14)
    light = (*(min(int(c * 1.3), 255) for c in metal[:3]), 255)
    stone = _near(rng, (172, 164, 150), 20)
    rim = (*(int(c * 0.66) for c in stone[:3]), 255)
    for y0, y1, half in ((236, 252, 66), (252, 370, 54), (370, 399, 74)):
        cv2.rectangle(picture, (100 - half, y0), (100 + half, y1), stone, -1)
        cv2.rectangle(picture, (100 - half, y0), (100 + half, y1), rim, 2)
    for row in range(3):
        width = int(rng.integers(18, 40))
        cv2.line(picture, (100 - width, 286 + 22 * row), (100 + width, 286 + 22 * row), rim, 4)
    lean = 100 + int(rng.integers(-10, 11))
    for sign in (-1, 1):
        foot = 100 + sign * int(rng.integers(12, 42)), 236
        cv2.line(picture, (100, 160), foot, metal, 26, cv2.LINE_AA)
        angle = float(rng.uniform(-1.4, 1.3))
        hand = lean + int(sign * 66 * np.cos(angle)), 90 + int(66 * np.sin(angle))
        cv2.line(picture, (lean, 92), hand, metal, 16, cv2.LINE_AA)
    cv2.line(picture, (100, 160), (lean, 78), metal, 44, cv2.LINE_AA)
    cv2.line(picture, (93, 160), (lean - 7, 86), light, 12, cv2.LINE_AA)
    cv2.circle(picture, (lean, 46), 20, metal, -1, cv2.LINE_AA)
    return picture


# Each kind of figure and the range of its height in metres.
FIGURES: dict[str, tuple[Callable[[Random], Image], float, float]] = {
    "tree": (tree, 4.5, 8.0),
    "person": (person, 1.55, 1.9),
    "lamp": (lamp, 4.0, 5.0),
    "car": (car, 1.4, 1.6),
}
