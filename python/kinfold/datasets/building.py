"""Buildings in three dimensions: boxes, roofs and towers with procedural faces. Metres, y up, the front at z = 0."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinfold.datasets.facade import (
    SCALE,
    Random,
    Style,
    Texture,
    facade,
    random_style,
    roofing,
    wall,
)

Points3 = NDArray[np.float64]
Span = tuple[float, float]
TRIANGLE = np.array([(0.5, 0.0), (1.0, 1.0), (0.0, 1.0)])
PLANS = ("house", "hall", "tower", "church", "block", "twin")


@dataclass(frozen=True)
class Face:
    """A flat piece with a texture.

    corners : (4, 3) where the texture's top left, top right, bottom right and bottom left lie
    cut : (m, 2) convex outline within the texture, in [0, 1]; None for all of it
    front : whether it belongs to the side that the collection's views show
    """

    corners: Points3
    texture: Texture
    cut: NDArray[np.float64] | None = None
    front: bool = False

    def moved(self, offset: tuple[float, float, float]) -> Face:
        """The same face elsewhere."""
        return replace(self, corners=self.corners + np.array(offset))


@dataclass(frozen=True)
class Building:
    """Faces around the origin: x from -width / 2 to width / 2, z from -depth to 0."""

    faces: tuple[Face, ...]
    width: float
    height: float
    depth: float


def _quad(
    a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...], d: tuple[float, ...]
) -> Points3:
    return np.array([a, b, c, d], dtype=np.float64)


def box(
    rng: Random,
    style: Style,
    x: Span,
    y: Span,
    z: Span,
    *,
    front: bool,
) -> list[Face]:
    """Four walls and a lid; the wall towards +z is a front if asked for."""
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    wide = facade(rng, style, x1 - x0, y1 - y0, front=front and y0 == 0)
    side = facade(rng, style, z1 - z0, y1 - y0, front=False)
    lid = roofing(rng, style, 2, 2)
    return [
        Face(_quad((x0, y1, z1), (x1, y1, z1), (x1, y0, z1), (x0, y0, z1)), wide, front=front),
        Face(_quad((x1, y1, z1), (x1, y1, z0), (x1, y0, z0), (x1, y0, z1)), side),
        Face(_quad((x0, y1, z0), (x0, y1, z1), (x0, y0, z1), (x0, y0, z0)), side),
        Face(_quad((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)), lid),
    ]


def _gable(
    rng: Random,
    style: Style,
    x: Span,
    y: float,
    z: Span,
    rise: float,
    *,
    facing: bool,
) -> list[Face]:
    """A pitched roof; its triangle looks forward where ``facing``, else to the sides."""
    (x0, x1), (z0, z1) = x, z
    e, top = 0.35, y + rise
    tiles = roofing(rng, style, 8, 5)
    plain = replace(style, ornament="none")
    if facing:
        xm = (x0 + x1) / 2
        gable = facade(rng, plain, x1 - x0, rise, front=False)
        z1r = z1 + e
        return [
            Face(
                _quad((x0, top, z1), (x1, top, z1), (x1, y, z1), (x0, y, z1)), gable, TRIANGLE, True
            ),
            Face(_quad((xm, top, z1r), (xm, top, z0), (x1 + e, y, z0), (x1 + e, y, z1r)), tiles),
            Face(_quad((xm, top, z0), (xm, top, z1r), (x0 - e, y, z1r), (x0 - e, y, z0)), tiles),
        ]
    zm = (z0 + z1) / 2
    side = facade(rng, plain, z1 - z0, rise, front=False)
    return [
        Face(
            _quad((x0 - e, top, zm), (x1 + e, top, zm), (x1 + e, y, z1 + e), (x0 - e, y, z1 + e)),
            tiles,
            None,
            True,
        ),
        Face(_quad((x1, top, z1), (x1, top, z0), (x1, y, z0), (x1, y, z1)), side, TRIANGLE),
        Face(_quad((x0, top, z0), (x0, top, z1), (x0, y, z1), (x0, y, z0)), side, TRIANGLE),
    ]


def _spire(rng: Random, style: Style, x: Span, y: float, z: Span, rise: float) -> list[Face]:
    """A pyramid."""
    (x0, x1), (z0, z1) = x, z
    tip = ((x0 + x1) / 2, y + rise, (z0 + z1) / 2)
    tiles = roofing(rng, style, x1 - x0, rise)
    ring = [(x0, y, z1), (x1, y, z1), (x1, y, z0), (x0, y, z0)]
    faces = []
    for k in range(4):
        left, right = np.array(ring[k]), np.array(ring[(k + 1) % 4])
        up = np.array(tip) - (left + right) / 2
        faces.append(Face(np.array([left + up, right + up, right, left]), tiles, TRIANGLE, k == 0))
    return faces


def make_building(rng: Random, style: Style | None = None) -> Building:
    """A building from the grammar, in a given style or one of its own."""
    look = style or random_style(rng)
    plan = PLANS[int(rng.integers(len(PLANS)))]
    width, height = float(rng.uniform(9, 17)), float(rng.uniform(6.5, 13))
    depth = float(rng.uniform(6, 11))
    x, z = (-width / 2, width / 2), (-depth, 0.0)
    faces = box(rng, look, x, (0, height), z, front=True)
    top = height
    rise = float(rng.uniform(2, 4.5))
    if plan in ("house", "tower", "twin"):
        faces += _gable(rng, look, x, height, z, rise, facing=False)
        top += rise
    elif plan in ("hall", "church"):
        faces += _gable(rng, look, x, height, z, rise * 1.3, facing=True)
        top += rise * 1.3
    if plan in ("tower", "church", "twin"):
        half, tall = float(rng.uniform(1.4, 2.3)), height + float(rng.uniform(2.5, 6))
        spots = {
            "tower": [float(rng.uniform(-0.25, 0.25)) * width],
            "church": [float(rng.choice([-1, 1])) * (width / 2 - half + 0.8)],
            "twin": [-width / 2 + half - 0.5, width / 2 - half + 0.5],
        }[plan]
        own = replace(look, ornament=str(rng.choice(["clock", "rose", "shield"])), pitch=2 * half)
        for spot in spots:
            xs, zs = (spot - half, spot + half), (-2 * half, 0.5)
            faces += box(rng, own, xs, (0, tall), zs, front=True)
            faces += _spire(rng, look, xs, tall, zs, float(rng.uniform(2, 5)))
        top = max(top, tall + 3)
    faces += _attached(rng, look, plan, width, height)
    return Building(tuple(faces), width, top, depth)


def _attached(rng: Random, style: Style, plan: str, width: float, height: float) -> list[Face]:
    """What stands out of the front and shifts against it from view to view: columns, porch, balconies, steps."""
    faces: list[Face] = []
    plain = replace(
        style, wall=style.trim, material="plaster", ornament="none", window="round", pitch=99
    )
    if plan in ("hall", "church"):
        count, tall = int(rng.integers(3, 7)), height * float(rng.uniform(0.45, 0.8))
        for spot in np.linspace(-0.36, 0.36, count) * width:
            xs = (float(spot) - 0.28, float(spot) + 0.28)
            faces += _slab(rng, plain, xs, (0, tall), (0.0, 1.3))
        edge = 0.4 * width
        faces += _slab(rng, plain, (-edge, edge), (tall, tall + 0.7), (0.0, 1.5))
    elif plan in ("block", "house", "twin"):
        floors = max(int(height / style.floor), 1)
        bays = max(int(width / style.pitch), 1)
        for _ in range(int(rng.integers(2, 6))):
            if floors < 2:
                break
            bay, floor = int(rng.integers(bays)), int(rng.integers(1, floors))
            cx = ((bay + 0.5) / bays - 0.5) * width
            foot = floor * height / floors + 0.15
            faces += _slab(rng, plain, (cx - 1.0, cx + 1.0), (foot, foot + 0.75), (0.0, 0.9))
    faces += _slab(rng, plain, (-width / 2 - 0.2, width / 2 + 0.2), (0, 0.25), (0.0, 0.8))
    return faces


def _slab(
    rng: Random,
    style: Style,
    x: Span,
    y: Span,
    z: Span,
) -> list[Face]:
    """A plain box that hides its own share of the front."""
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    sides = [
        _quad((x0, y1, z1), (x1, y1, z1), (x1, y0, z1), (x0, y0, z1)),
        _quad((x1, y1, z1), (x1, y1, z0), (x1, y0, z0), (x1, y0, z1)),
        _quad((x0, y1, z0), (x0, y1, z1), (x0, y0, z1), (x0, y0, z0)),
        _quad((x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)),
    ]
    faces = []
    for n, corners in enumerate(sides):
        across, down = (float(np.linalg.norm(corners[k] - corners[0])) for k in (1, 3))
        size = max(int(down * SCALE * 0.7), 8), max(int(across * SCALE * 0.7), 8)
        albedo = wall(rng, *size, style.material, style.wall)
        faces.append(Face(corners, Texture(albedo, np.zeros(size, np.uint8)), front=n == 0))
    return faces
