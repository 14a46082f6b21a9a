"""A model airplane on a turntable, rendered: the grid of poses and lightings of NORB where NORB is not at hand."""

from __future__ import annotations

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.offered import call_by_name
from kinfold.datasets.render import Floats, Mesh, Surface, camera_axes, lit, loft, visible
from kinfold.datasets.views import Views

AZIMUTHS = tuple(range(0, 360, 20))
ELEVATIONS = tuple(range(30, 75, 5))
# Lamps of each lighting, directions times strengths: x towards the camera's side of the room, y to its right, z up.
LIGHTINGS: tuple[tuple[tuple[float, float, float], ...], ...] = (
    ((0.2, 0.0, 0.6),),
    ((0.4, 0.4, 0.4),),
    ((0.4, -0.4, 0.4),),
    ((0.4, 0.4, 0.4), (0.3, -0.4, 0.2)),
    ((0.1, 0.5, 0.3), (0.0, 0.0, 0.3)),
    ((0.1, -0.5, 0.3), (-0.2, 0.0, 0.4)),
)
_AMBIENT = 0.35
_BACKGROUND = 0.45
_FINE = 2  # pixels are means of so many squared
_FUSELAGE, _WING, _TAIL, _ENGINE = range(4)


def airplane(*, side: int = 96) -> Views:
    """972 pictures of a textured airplane: 18 azimuths by 9 elevations by 6 lightings, azimuths slowest.

    side : of a picture in pixels
    A mesh, its depth and Lambert's law, as LeCun, Huang & Bottou (CVPR 2004) photographed models: azimuths each 20
    degrees, elevations 30 to 70 degrees each 5. Its two wings are painted differently, so that no two of the azimuths
    look alike. The same pixels in every call.
    """
    side = as_count(side, "side", least=8, most=1024)
    mesh = _mesh()
    images = np.empty((len(AZIMUTHS), len(ELEVATIONS), len(LIGHTINGS), side, side), np.uint8)
    for i, azimuth in enumerate(AZIMUTHS):
        for j, elevation in enumerate(ELEVATIONS):
            axes = camera_axes(np.deg2rad(azimuth), np.deg2rad(elevation))
            surface = visible(mesh, axes, side * _FINE, 1.1)
            room = camera_axes(np.deg2rad(azimuth), 0.0)  # right, up, towards
            paint = _paint(surface)
            for k, lamps in enumerate(LIGHTINGS):
                lights = np.asarray(lamps) @ room[[2, 0, 1]]
                fine = np.full((side * _FINE, side * _FINE), _BACKGROUND)
                fine[surface.rows, surface.columns] = paint * lit(surface.normals, lights, _AMBIENT)
                picture = fine.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))
                images[i, j, k] = np.round(np.clip(picture, 0, 1) * 255)
    grid = np.meshgrid(AZIMUTHS, ELEVATIONS, range(len(LIGHTINGS)), indexing="ij")
    azimuths, elevations, lightings = (part.reshape(-1).astype(np.int64) for part in grid)
    return Views(
        images.reshape(-1, side, side), np.zeros_like(azimuths), azimuths, elevations, lightings
    )


def _mesh() -> Mesh:
    """The airplane: nose towards x, left wing towards y, up is z; a length of 1.9, a span of 1.8."""
    pieces = [(_tube(_HULL), _FUSELAGE)]
    for hand in (1, -1):
        pieces.append((_panel((0.28, 0.05, 0.02), (-0.18, 0.9, 0.1), 0.42, 0.16, hand), _WING))
        pieces.append((_panel((-0.68, 0.03, 0.05), (-0.86, 0.36, 0.08), 0.24, 0.12, hand), _TAIL))
        engine = _tube(_NACELLE) + np.array((0.02, 0.36 * hand, -0.05))
        pieces.append((engine, _ENGINE))
    fin = _panel((-0.62, 0.05, 0.0), (-0.88, 0.42, 0.0), 0.3, 0.14, 1)
    # Turned up about x: what was to the left is above.
    pieces.append((np.stack([fin[..., 0], -fin[..., 2], fin[..., 1]], axis=-1), _TAIL))
    corners = np.concatenate([piece for piece, _ in pieces])
    parts = np.concatenate([np.full(len(piece), part) for piece, part in pieces])
    return Mesh(corners, parts)


# Stations of a tube: x, z of the middle, radius.
_HULL = (
    (-0.95, 0.06, 0.01), (-0.8, 0.05, 0.045), (-0.5, 0.02, 0.095), (-0.1, 0.0, 0.12), (0.5, 0.0, 0.12),
    (0.72, -0.01, 0.105), (0.86, -0.02, 0.07), (0.93, -0.03, 0.035), (0.95, -0.03, 0.005),
)  # fmt: skip
_NACELLE = ((-0.12, 0.0, 0.03), (0.0, 0.0, 0.06), (0.14, 0.0, 0.065), (0.18, 0.0, 0.05))


def _tube(stations: tuple[tuple[float, float, float], ...], around: int = 20) -> Floats:
    """Triangles of circles along x."""
    turn = 2 * np.pi * np.arange(around) / around
    rings = [
        np.stack([np.full(around, x), radius * np.cos(turn), z + radius * np.sin(turn)], axis=1)
        for x, z, radius in stations
    ]
    return loft(np.stack(rings))


def _panel(
    root: tuple[float, float, float],
    tip: tuple[float, float, float],
    root_chord: float,
    tip_chord: float,
    hand: int,
) -> Floats:
    """Triangles of a wing between the leading edges of its root and its tip; hand -1 mirrors y."""
    # Leading edge, top, trailing edge, bottom; in chords behind the leading edge, and above it.
    section = np.array([(0.0, 0.0), (-0.3, 0.06), (-1.0, 0.0), (-0.3, -0.05)])
    rings = []
    for (x, y, z), chord in ((root, root_chord), (tip, tip_chord)):
        ring = np.empty((len(section), 3))
        ring[:, 0], ring[:, 1], ring[:, 2] = x + chord * section[:, 0], y, z + chord * section[:, 1]
        rings.append(ring)
    corners = loft(np.stack(rings))
    # A mirrored triangle is seen from inside: its corners are taken the other way round.
    return corners if hand > 0 else (corners * (1, -1, 1))[:, ::-1]


def _paint(surface: Surface) -> Floats:
    """The reflectance (m,) of points: bands on one wing, a dark tip on the other, windows, a dark nose."""
    x, y, z = surface.points.T
    part = surface.parts
    paint = np.choose(part, [0.75, 0.8, 0.7, 0.4])
    wing, hull = part == _WING, part == _FUSELAGE
    paint[wing & (y > 0) & (np.floor((y - 0.3) / 0.1) % 2 == 0) & (y > 0.3)] = 0.25
    paint[wing & (y < -0.62)] = 0.15
    paint[wing & (np.hypot(x - 0.0, y + 0.42) < 0.08)] = 0.3
    paint[hull & (x > 0.78)] = 0.2
    paint[hull & (np.abs(z - 0.03) < 0.022) & (x > -0.5) & (np.floor(x / 0.05) % 2 == 0)] = 0.2
    paint[hull & (z > 0.07) & (np.abs(x + 0.3) < 0.08)] = 0.3
    paint[(part == _TAIL) & (y > 0.12)] = 0.35
    paint[(part == _TAIL) & (z > 0.25)] = 0.25
    return paint


call_by_name(__name__)
