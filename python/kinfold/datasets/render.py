"""Meshes to pictures with numpy alone: orthographic, a depth for every pixel, Lambert's law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Mesh(NamedTuple):
    """Closed surfaces of triangles.

    corners : float64 (n, 3, 3)    the three points of each, anticlockwise as seen from outside
    parts : int64 (n,)             which part of the thing each belongs to
    """

    corners: Floats
    parts: NDArray[np.int64]


class Surface(NamedTuple):
    """What a camera sees in each of its pixels that shows something.

    rows, columns : int64 (m,)   the pixels
    points, normals : float64 (m, 3)   in the object's own coordinates; normals of length one, outwards
    parts : int64 (m,)
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    points: Floats
    normals: Floats
    parts: NDArray[np.int64]


def loft(rings: Floats) -> Floats:
    """The closed solid through rings (r, m, 3) of equally many points: corners (n, 3, 3) of its triangles.

    The points of a ring run anticlockwise as seen from where the rings go; the ends are closed around their means.
    """
    near, far = rings[:-1], rings[1:]
    near_next, far_next = np.roll(near, -1, axis=1), np.roll(far, -1, axis=1)
    sides = np.concatenate([
        np.stack([near, near_next, far], axis=2).reshape(-1, 3, 3),
        np.stack([near_next, far_next, far], axis=2).reshape(-1, 3, 3),
    ])  # fmt: skip
    first, last = rings[0], rings[-1]
    middle = np.broadcast_to(first.mean(axis=0), first.shape)
    start = np.stack([np.roll(first, -1, axis=0), first, middle], axis=1)
    middle = np.broadcast_to(last.mean(axis=0), last.shape)
    end = np.stack([last, np.roll(last, -1, axis=0), middle], axis=1)
    return np.concatenate([sides, start, end])


def camera_axes(azimuth: float, elevation: float) -> Floats:
    """Rows (3, 3): right, up and towards the camera, for an object that turned by the azimuth (radians) about z."""
    a, e = azimuth, elevation
    towards = np.array([np.cos(e) * np.cos(a), -np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([np.sin(a), np.cos(a), 0.0])
    return np.stack([right, np.cross(towards, right), towards])


def visible(mesh: Mesh, axes: Floats, side: int, half: float) -> Surface:
    """What is seen in a picture of side x side pixels that shows 2 half x 2 half around the origin.

    axes : of `camera_axes`
    """
    edges = mesh.corners[:, 1:] - mesh.corners[:, :1]
    normals = np.cross(edges[:, 0], edges[:, 1])
    lengths = np.linalg.norm(normals, axis=1)
    seen = (normals @ axes[2] > 1e-9 * half**2) & (lengths > 0)
    corners, parts = mesh.corners[seen], mesh.parts[seen]
    normals = normals[seen] / lengths[seen, None]
    local = corners @ axes.T
    x = (local[..., 0] / half + 1) * side / 2
    y = (1 - local[..., 1] / half) * side / 2
    # All pixels within the bounds of each triangle, one list for all triangles.
    left, right = (np.clip(f(x, axis=1), 0, side).astype(np.int64) for f in (np.min, np.max))
    top, bottom = (np.clip(f(y, axis=1), 0, side).astype(np.int64) for f in (np.min, np.max))
    wide, high = np.minimum(right + 1, side) - left, np.minimum(bottom + 1, side) - top
    counts = np.maximum(wide, 0) * np.maximum(high, 0)
    which = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns, rows = left[which] + within % wide[which], top[which] + within // wide[which]
    shares = _barycentric(x, y, which, columns + 0.5, rows + 0.5)
    inside = (shares >= 0).all(axis=1)
    which, columns, rows, shares = which[inside], columns[inside], rows[inside], shares[inside]
    depth = np.einsum("nk,nk->n", shares, local[which, :, 2])
    pixels = rows * side + columns
    order = np.lexsort((-depth, pixels))
    nearest = order[np.r_[True, np.diff(pixels[order]) != 0][: len(order)]]
    which = which[nearest]
    points = np.einsum("nk,nkc->nc", shares[nearest], corners[which])
    return Surface(rows[nearest], columns[nearest], points, normals[which], parts[which])


def _barycentric(
    x: Floats, y: Floats, which: NDArray[np.int64], at_x: Floats, at_y: Floats
) -> Floats:
    """The shares (n, 3) of the corners of triangles ``which`` in points."""
    x0, x1, x2 = x.T
    y0, y1, y2 = y.T
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    area = np.where(area == 0, np.inf, area)
    # Each share is linear in the picture.
    first = np.stack([(y1 - y2) / area, (x2 - x1) / area, (x1 * y2 - x2 * y1) / area])
    second = np.stack([(y2 - y0) / area, (x0 - x2) / area, (x2 * y0 - x0 * y2) / area])
    one, two = (
        share[0, which] * at_x + share[1, which] * at_y + share[2, which]
        for share in (first, second)
    )
    return np.stack([one, two, 1 - one - two], axis=1)


def lit(normals: Floats, lights: Floats, ambient: float) -> Floats:
    """How bright white surfaces are: ambient light and Lambert's law for lamps (k, 3), directions times strengths."""
    return ambient + np.maximum(normals @ lights.T, 0).sum(axis=1)
