"""Procedural textures of buildings: walls, windows, doors, signs, ornaments. One grammar for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Random = np.random.Generator

SCALE = 48  # texture pixels a metre
MATERIALS = ("brick", "stone", "plaster", "boards", "panels")
WINDOWS = ("cross", "sash", "arched", "paired", "wide", "round")
ORNAMENTS = ("clock", "rose", "shield", "mural", "relief", "none")
WALLS = [
    (168, 84, 62), (196, 180, 146), (214, 205, 188), (120, 128, 134), (226, 196, 120), (206, 150, 120),
    (150, 168, 150), (182, 104, 80), (238, 230, 214), (140, 120, 98), (176, 190, 204), (220, 170, 150),
]  # fmt: skip
TRIMS = [(240, 236, 226), (92, 74, 60), (60, 66, 72), (214, 200, 170), (48, 84, 76), (128, 44, 40)]


@dataclass(frozen=True)
class Texture:
    """albedo : uint8 (h, w, 3) RGB. glow : uint8 (h, w), where a light behind shows at night."""

    albedo: Image
    glow: Image
    _smaller: dict[tuple[int, int], tuple[Image, Image]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def reduced(self, across: int, down: int) -> tuple[Image, Image]:
        """Albedo and glow at 2**-across of the width and 2**-down of the height; each is made once."""
        if (across, down) not in self._smaller:
            cv2 = require("cv2")
            height, width = self.glow.shape
            size = max(width >> across, 1), max(height >> down, 1)
            self._smaller[across, down] = (
                cv2.resize(self.albedo, size, interpolation=cv2.INTER_AREA),
                cv2.resize(self.glow, size, interpolation=cv2.INTER_AREA),
            )
        return self._smaller[across, down]


@dataclass(frozen=True)
class Style:
    """What the faces of one building have in common."""

    material: str
    wall: Colour
    trim: Colour
    accent: Colour
    window: str
    ornament: str
    pitch: float  # metres between bays
    floor: float  # metres between floors
    shutters: bool


def _pick(rng: Random, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _jitter(rng: Random, colour: Colour, amount: int = 14) -> Colour:
    r, g, b = (
        min(max(c + int(d), 8), 250) for c, d in zip(colour, rng.integers(-amount, amount + 1, 3))
    )
    return r, g, b


def _shade(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(int(c * factor), 255) for c in colour)
    return r, g, b


def noise(rng: Random, height: int, width: int, cell: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise in [0, 1], float32 (height, width); ``cell`` is its grain as rows and columns."""
    cv2 = require("cv2")
    coarse = rng.random((height // cell[0] + 2, width // cell[1] + 2), dtype=np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def random_style(rng: Random) -> Style:
    """A style from the grammar."""
    vivid = tuple(
        int(c) for c in rng.permutation([200, 70 + rng.integers(80), 40 + rng.integers(60)])
    )
    return Style(
        material=_pick(rng, MATERIALS),
        wall=_jitter(rng, _pick(rng, WALLS)),
        trim=_jitter(rng, _pick(rng, TRIMS), 8),
        accent=(vivid[0], vivid[1], vivid[2]),
        window=_pick(rng, WINDOWS),
        ornament=_pick(rng, ORNAMENTS),
        pitch=float(rng.uniform(2.1, 3.4)),
        floor=float(rng.uniform(2.9, 3.8)),
        shutters=bool(rng.random() < 0.3),
    )


def wall(rng: Random, height: int, width: int, material: str, colour: Colour) -> Image:
    """A bare wall with the grain of its material, and weather on it."""
    y, x = np.mgrid[0:height, 0:width]
    tone = np.ones((height, width), np.float32)
    if material in ("brick", "stone", "panels"):
        rows, columns, joint, spread = {
            "brick": (9, 24, 1, 0.30),
            "stone": (26, 46, 2, 0.22),
            "panels": (70, 96, 2, 0.10),
        }[material]
        row = y // rows
        shift = (row % 2) * (columns // 2) if material != "panels" else 0
        column = (x + shift) // columns
        table = rng.random((height // rows + 1, width // columns + 2), dtype=np.float32)
        tone += spread * (table[row, column] - 0.5)
        mortar = (y % rows < joint) | ((x + shift) % columns < joint)
        tone[mortar] = 1.16 if material == "brick" else 0.74
        if material == "stone":
            tone[(y % rows == joint) | ((x + shift) % columns == joint)] += 0.12
    elif material == "boards":
        table = rng.random(width // 11 + 1, dtype=np.float32)
        tone += 0.14 * (table[x // 11] - 0.5)
        tone[x % 11 == 0] = 0.72
    tone += 0.16 * (noise(rng, height, width, (90, 90)) - 0.5)
    tone += 0.13 * (noise(rng, height, width, (7, 7)) - 0.5)
    streaks = noise(rng, height, width, (160, 9)) * noise(rng, height, width, (110, 110))
    tone *= 1 - 0.55 * np.clip(streaks - 0.42, 0, 1)
    tone += 0.06 * (rng.random((height, width), dtype=np.float32) - 0.5)
    return np.clip(tone[..., None] * np.array(colour, np.float32), 0, 255).astype(np.uint8)


def facade(
    rng: Random, style: Style, width: float, height: float, *, front: bool = True
) -> Texture:
    """A face of a building, ``width`` by ``height`` metres; the front has doors, signs and an ornament."""
    cv2 = require("cv2")
    w, h = max(int(width * SCALE), 24), max(int(height * SCALE), 24)
    albedo = wall(rng, h, w, style.material, style.wall)
    glow = np.zeros((h, w), np.uint8)
    floors = max(int(height / style.floor), 1)
    bays = max(int(width / style.pitch), 1)
    step = w / bays
    rise = h / floors
    band = _shade(style.trim, 0.94)
    for floor in range(1, floors):
        if rng.random() < 0.75:
            top = int(h - floor * rise)
            cv2.rectangle(albedo, (0, top - 5), (w, top + 5), band, -1)
            cv2.line(albedo, (0, top + 7), (w, top + 7), _shade(style.wall, 0.6), 2)
    skip = int(rng.integers(floors)) if front and floors > 2 and style.ornament != "none" else -1
    for floor in range(1 if front else 0, floors):
        for bay in range(bays):
            if floor == skip and abs(bay - (bays - 1) / 2) < 1:
                continue  # the ornament's place
            if rng.random() < (0.06 if front else 0.35):
                continue
            cx, cy = int((bay + 0.5) * step), int(h - (floor + 0.5) * rise)
            _window(rng, albedo, glow, style, cx, cy, int(step * 0.25), int(rise * 0.31))
    if skip > 0:
        centre = w // 2, int(h - (skip + 0.5) * rise)
        _ornament(rng, albedo, style, centre, int(min(rise * 0.42, step * 0.75)))
    if front:
        _ground_floor(rng, albedo, glow, style, bays, step, int(rise))
        _weather(rng, albedo, style)
    cv2.rectangle(albedo, (0, 0), (w, max(int(0.22 * SCALE), 4)), style.trim, -1)
    cv2.rectangle(
        albedo, (0, int(0.22 * SCALE)), (w, int(0.3 * SCALE)), _shade(style.wall, 0.5), -1
    )
    cv2.rectangle(albedo, (0, h - int(0.4 * SCALE)), (w, h), _shade(style.wall, 0.62), -1)
    return Texture(albedo, glow)


def _window(
    rng: Random, albedo: Image, glow: Image, style: Style, cx: int, cy: int, rx: int, ry: int
) -> None:
    """One window: frame, glass with what is behind it, bars, sill, shutters."""
    cv2 = require("cv2")
    kind = style.window
    if kind == "wide":
        rx = int(rx * 1.45)
    if kind == "round":
        rx = ry = int(min(rx, ry) * 1.1)
    glass = _jitter(rng, (54, 66, 80), 22)
    pane = np.zeros(glow.shape, np.uint8) if kind in ("arched", "round") else None
    x0, x1, y0, y1 = cx - rx, cx + rx, cy - ry, cy + ry
    if pane is None:
        cv2.rectangle(albedo, (x0 - 5, y0 - 5), (x1 + 5, y1 + 5), style.trim, -1)
        cv2.rectangle(albedo, (x0 - 6, y0 - 6), (x1 + 6, y1 + 6), _shade(style.wall, 0.55), 1)
        cv2.rectangle(albedo, (x0, y0), (x1, y1), glass, -1)
        cv2.rectangle(glow, (x0, y0), (x1, y1), 255, -1)
    elif kind == "round":
        cv2.circle(albedo, (cx, cy), rx + 6, style.trim, -1, cv2.LINE_AA)
        cv2.circle(albedo, (cx, cy), rx, glass, -1, cv2.LINE_AA)
        cv2.circle(glow, (cx, cy), rx, 255, -1)
    else:
        spring = y0 + rx
        for grow, colour in ((6, style.trim), (0, glass)):
            cv2.ellipse(
                albedo, (cx, spring), (rx + grow, rx + grow), 0, 180, 360, colour, -1, cv2.LINE_AA
            )
            cv2.rectangle(albedo, (x0 - grow, spring), (x1 + grow, y1 + grow), colour, -1)
        cv2.ellipse(glow, (cx, spring), (rx, rx), 0, 180, 360, 255, -1)
        cv2.rectangle(glow, (x0, spring), (x1, y1), 255, -1)
    top = y0 + rx if kind == "arched" else y0
    if kind != "round":
        behind = rng.random()
        if behind < 0.35:  # curtains
            cloth = _jitter(rng, (206, 196, 180), 30)
            drawn = int(rx * rng.uniform(0.25, 0.7))
            cv2.rectangle(albedo, (x0, top), (x0 + drawn, y1), cloth, -1)
            cv2.rectangle(albedo, (x1 - drawn, top), (x1, y1), cloth, -1)
        elif behind < 0.6:  # a blind
            drop = int(top + (y1 - top) * rng.uniform(0.2, 0.8))
            cv2.rectangle(albedo, (x0, top), (x1, drop), _jitter(rng, (188, 182, 160), 36), -1)
        elif behind < 0.8:  # the sky's reflection
            shine = np.array([(x0, top), (x0 + rx, top), (x0, y1)])
            cv2.fillConvexPoly(albedo, shine, _jitter(rng, (132, 152, 172), 16), cv2.LINE_AA)
    bar = _shade(style.trim, 0.9)
    if kind in ("cross", "arched", "round"):
        cv2.line(albedo, (cx, y0), (cx, y1), bar, 3)
        cv2.line(albedo, (x0, cy), (x1, cy), bar, 3)
    elif kind == "sash":
        for part in (0.25, 0.5, 0.75):
            cv2.line(albedo, (x0, int(y0 + 2 * ry * part)), (x1, int(y0 + 2 * ry * part)), bar, 2)
        cv2.line(albedo, (cx, y0), (cx, y1), bar, 2)
    else:
        for part in (1 / 3, 2 / 3) if kind == "wide" else (0.5,):
            x = int(x0 + 2 * rx * part)
            cv2.line(albedo, (x, y0), (x, y1), bar, 5 if kind == "paired" else 3)
    if kind != "round":
        cv2.rectangle(albedo, (x0 - 9, y1 + 4), (x1 + 9, y1 + 10), _shade(style.trim, 0.82), -1)
        cv2.rectangle(albedo, (x0 - 8, y1 + 11), (x1 + 8, y1 + 15), _shade(style.wall, 0.52), -1)
        if rng.random() < 0.14:
            for x in range(x0, x1, 5):
                petal = _pick(rng, [(200, 50, 60), (226, 170, 60), (190, 90, 170), (60, 120, 60)])
                cv2.circle(albedo, (x, y1 + int(rng.integers(-4, 4))), 4, petal, -1)
    if style.shutters and kind in ("cross", "sash", "paired"):
        leaf = max(int(rx * 0.55), 5)
        for x in (x0 - 7 - leaf, x1 + 7):
            cv2.rectangle(albedo, (x, y0 - 2), (x + leaf, y1 + 2), style.accent, -1)
            for y in range(y0, y1, 6):
                cv2.line(albedo, (x + 2, y), (x + leaf - 2, y), _shade(style.accent, 0.7), 1)


def _ornament(
    rng: Random, albedo: Image, style: Style, centre: tuple[int, int], radius: int
) -> None:
    """What this building alone has: a clock, a rose, arms, a mural, a relief."""
    cv2 = require("cv2")
    cx, cy = centre
    r = max(radius, 12)
    if style.ornament in ("clock", "rose"):
        cv2.circle(albedo, centre, r, style.trim, -1, cv2.LINE_AA)
        cv2.circle(albedo, centre, int(r * 0.86), _shade(style.accent, 0.55), -1, cv2.LINE_AA)
        spokes = 12 if style.ornament == "clock" else int(rng.integers(5, 13))
        for turn in range(spokes):
            angle = 2 * np.pi * turn / spokes
            tip = np.array([np.cos(angle), np.sin(angle)])
            if style.ornament == "clock":
                near, far = (np.array(centre) + tip * r * k for k in (0.66, 0.8))
                cv2.line(albedo, near.astype(int).tolist(), far.astype(int).tolist(), style.trim, 3)
            else:
                at = (np.array(centre) + tip * r * 0.56).astype(int).tolist()
                cv2.circle(
                    albedo,
                    at,
                    max(int(r * 0.2), 3),
                    _jitter(rng, style.accent, 60),
                    -1,
                    cv2.LINE_AA,
                )
        for length, angle in zip((0.45, 0.66), rng.uniform(0, 2 * np.pi, 2)):
            if style.ornament == "clock":
                hand = np.array(centre) + r * length * np.array([np.cos(angle), np.sin(angle)])
                cv2.line(albedo, centre, hand.astype(int).tolist(), style.trim, 4, cv2.LINE_AA)
        return
    x0, y0, x1, y1 = cx - r, cy - r, cx + r, cy + r
    cv2.rectangle(albedo, (x0 - 5, y0 - 5), (x1 + 5, y1 + 5), style.trim, -1)
    cv2.rectangle(albedo, (x0, y0), (x1, y1), _jitter(rng, _pick(rng, WALLS), 20), -1)
    region = albedo[max(y0, 0) : y1, max(x0, 0) : x1]
    side = 2 * r
    for _ in range(9 if style.ornament == "shield" else 22):
        grey = style.ornament == "relief"
        colour = (
            _shade(style.wall, rng.uniform(0.5, 1.3)) if grey else _jitter(rng, style.accent, 110)
        )
        at = rng.integers(0, side, 2).tolist()
        if rng.random() < 0.5:
            cv2.circle(region, at, int(rng.integers(3, max(r // 2, 4))), colour, -1, cv2.LINE_AA)
        else:
            cv2.fillConvexPoly(
                region, rng.integers(0, side, (3, 2)).astype(np.int32), colour, cv2.LINE_AA
            )


def _ground_floor(
    rng: Random, albedo: Image, glow: Image, style: Style, bays: int, step: float, rise: int
) -> None:
    """Doors, shop windows with signs and awnings."""
    cv2 = require("cv2")
    h, w = glow.shape
    top = h - rise
    doors = {int(rng.integers(bays))} | ({bays // 2} if rng.random() < 0.6 else set())
    for bay in range(bays):
        cx, half = int((bay + 0.5) * step), int(step * 0.34)
        if bay in doors:
            x0, x1, y0 = cx - half // 2 - 6, cx + half // 2 + 6, top + int(rise * 0.26)
            cv2.rectangle(albedo, (x0 - 8, y0 - 8), (x1 + 8, h), style.trim, -1)
            if rng.random() < 0.5:
                cv2.ellipse(albedo, (cx, y0), ((x1 - x0) // 2 + 8, 24), 0, 180, 360, style.trim, -1)
            cv2.rectangle(albedo, (x0, y0), (x1, h), _shade(style.accent, 0.6), -1)
            for px in (x0 + 5, cx + 3):
                for py in np.linspace(y0 + 8, h - 40, 3).astype(int).tolist():
                    corner = (px + (x1 - x0) // 2 - 8, py + int(rise * 0.16))
                    cv2.rectangle(albedo, (px, py), corner, _shade(style.accent, 0.42), 2)
        elif rng.random() < 0.72:
            x0, x1, y0, y1 = cx - half, cx + half, top + int(rise * 0.3), h - int(rise * 0.16)
            cv2.rectangle(albedo, (x0 - 6, y0 - 6), (x1 + 6, y1 + 6), _shade(style.trim, 0.8), -1)
            cv2.rectangle(albedo, (x0, y0), (x1, y1), _jitter(rng, (62, 70, 78), 18), -1)
            cv2.rectangle(glow, (x0, y0), (x1, y1), 255, -1)
            for _ in range(7):  # goods
                at = int(rng.integers(x0 + 4, x1 - 3)), int(rng.integers(y0 + (y1 - y0) // 2, y1))
                cv2.circle(
                    albedo, at, int(rng.integers(3, 9)), _jitter(rng, (150, 130, 110), 90), -1
                )
            if rng.random() < 0.45:
                cloth = _jitter(rng, style.accent, 70)
                for k, x in enumerate(range(x0 - 6, x1 + 6, 9)):
                    stripe = cloth if k % 2 else (236, 230, 220)
                    cv2.rectangle(albedo, (x, y0 - 12), (min(x + 9, x1 + 6), y0 + 14), stripe, -1)
    if rng.random() < 0.8:
        length = int(rng.uniform(0.3, 0.7) * w)
        x0 = int(rng.integers(6, max(w - length - 6, 7)))
        _sign(rng, albedo, style, x0, top + int(rise * 0.05), length, int(rise * 0.19))


def _sign(
    rng: Random, albedo: Image, style: Style, x0: int, y0: int, length: int, height: int
) -> None:
    """A board with strokes like letters of no alphabet."""
    cv2 = require("cv2")
    board = _jitter(
        rng, _pick(rng, [style.accent, (36, 40, 46), (238, 232, 214), (30, 74, 96)]), 12
    )
    ink = (238, 232, 216) if sum(board) < 380 else (44, 38, 40)
    cv2.rectangle(albedo, (x0, y0), (x0 + length, y0 + height), board, -1)
    cv2.rectangle(albedo, (x0, y0), (x0 + length, y0 + height), _shade(board, 0.6), 2)
    cell = int(height * 0.62)
    for x in range(x0 + cell // 2, x0 + length - cell, cell):
        if rng.random() < 0.14:
            continue  # between words
        grid = rng.integers(0, 3, (int(rng.integers(3, 6)), 2))
        strokes = grid * [cell * 0.3, height * 0.28] + [x, y0 + height * 0.2]
        cv2.polylines(
            albedo, [strokes.astype(np.int32)], False, ink, max(height // 10, 2), cv2.LINE_AA
        )


def _weather(rng: Random, albedo: Image, style: Style) -> None:
    """Drainpipes, posters, ivy: what sets one copy of a wall apart from the next."""
    cv2 = require("cv2")
    h, w = albedo.shape[:2]
    for _ in range(int(rng.integers(0, 3))):
        x = int(rng.integers(4, w - 4))
        cv2.line(albedo, (x, 0), (x, h), _shade(style.trim, 0.55), 5)
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.integers(0, w - 40)), int(h - rng.integers(50, 120))
        cv2.rectangle(albedo, (x, y), (x + 26, y + 36), _jitter(rng, style.accent, 100), -1)
        for row in range(4):
            cv2.line(albedo, (x + 4, y + 6 + 7 * row), (x + 20, y + 6 + 7 * row), (40, 40, 40), 1)
    if rng.random() < 0.25:
        root = float(rng.uniform(0.05, 0.95) * w)
        for k in range(420):
            y = h - (k / 420) ** 1.4 * h * 0.7
            x = root + rng.normal() * (16 + 0.09 * w * (1 - k / 420))
            leaf = _jitter(rng, (62, 98, 50), 26)
            cv2.circle(albedo, (int(x), int(y)), int(rng.integers(2, 7)), leaf, -1)


def roofing(rng: Random, style: Style, width: float, height: float) -> Texture:
    """Tiles or slates."""
    w, h = max(int(width * SCALE * 0.6), 16), max(int(height * SCALE * 0.6), 16)
    colour = _jitter(
        rng, _pick(rng, [(150, 74, 54), (86, 90, 98), (108, 96, 84), (70, 96, 92)]), 12
    )
    y, x = np.mgrid[0:h, 0:w]
    row = y // 8
    column = (x + (row % 2) * 6) // 12
    tone = 0.82 + 0.3 * rng.random((h // 8 + 1, w // 12 + 2), dtype=np.float32)[row, column]
    tone[(y % 8 == 0) | ((x + (row % 2) * 6) % 12 == 0)] *= 0.68
    tone *= 0.85 + 0.3 * noise(rng, h, w, (60, 60))
    albedo = np.clip(tone[..., None] * np.array(colour, np.float32), 0, 255).astype(np.uint8)
    return Texture(albedo, np.zeros((h, w), np.uint8))
