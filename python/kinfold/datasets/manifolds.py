"""Points on curves and surfaces whose own coordinates are known: Swiss roll, S-curve, two moons, two spirals."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count, as_number
from kinfold.base.random import generator

_Floats = NDArray[np.float64]


class ManifoldPoints(NamedTuple):
    """Points and where they lie on their manifold.

    points : float32 (n, d)
    coordinates : float64 (n, c)   lengths along the manifold, before noise: the straight-line distance between
                                   coordinates of one manifold is the geodesic distance
    labels : int64 (n,)            which manifold: 0, or 0 and 1
    """

    points: Vectors
    coordinates: _Floats
    labels: Ids


def swiss_roll(n: int = 1000, *, noise: float = 0.0, seed: int = 0) -> ManifoldPoints:
    """A rolled-up strip in three dimensions; coordinates (n, 2) are arc length and height.

    noise : standard deviation of what is added to every coordinate of a point
    The spiral (t cos t, t sin t) for t uniform in 1.5 pi [1, 3], heights uniform in [0, 21].
    Tenenbaum, de Silva & Langford, Science 290, 2000.
    """
    n, noise, random = _checked(n, noise, seed)
    t = 1.5 * np.pi * (1 + 2 * random.random(n))
    height = 21 * random.random(n)
    points = np.stack([t * np.cos(t), height, t * np.sin(t)], axis=1)
    return _sample(points, np.stack([_spiral_length(t), height], axis=1), noise, random)


def s_curve(n: int = 1000, *, noise: float = 0.0, seed: int = 0) -> ManifoldPoints:
    """A strip bent to an S, of two arcs of 270 degrees; arguments and coordinates as of swiss_roll."""
    n, noise, random = _checked(n, noise, seed)
    t = 3 * np.pi * (random.random(n) - 0.5)
    height = 2 * random.random(n)
    points = np.stack([np.sin(t), height, np.sign(t) * (np.cos(t) - 1)], axis=1)
    return _sample(points, np.stack([t, height], axis=1), noise, random)


def two_moons(n: int = 400, *, noise: float = 0.05, seed: int = 0) -> ManifoldPoints:
    """Two interleaved half circles of radius 1 in the plane; coordinates (n, 1) are arc lengths.

    The upper one, label 0, has its centre at the origin, the lower one at (1, 0.5); points are uniform.
    """
    n, noise, random = _checked(n, noise, seed)
    t = np.pi * random.random(n)
    labels = np.arange(n) % 2
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    points = np.where(labels[:, None] == 0, upper, [1, 0.5] - upper)
    return _sample(points, t[:, None], noise, random, labels)


def two_spirals(
    n: int = 400, *, turns: float = 1.5, noise: float = 0.02, seed: int = 0
) -> ManifoldPoints:
    """Two spirals in the plane, one the other turned by half a circle; coordinates (n, 1) are arc lengths.

    The radius grows by 2 each turn, so that the arms are 1 apart, beginning at 0.5 after a quarter of a turn;
    points are uniform along the arms.
    """
    n, noise, random = _checked(n, noise, seed)
    turns = as_number(turns, "turns", least=0, most=100, open=True)
    # t / pi is the radius; positions along the arm are found where its length is tabulated.
    grid = np.linspace(np.pi / 2, np.pi / 2 + 2 * np.pi * turns, 4096)
    length = (_spiral_length(grid) - _spiral_length(grid[0])) / np.pi
    along = length[-1] * random.random(n)
    t = np.interp(along, length, grid)
    labels = np.arange(n) % 2
    arm = np.stack([np.cos(t), np.sin(t)], axis=1) * (t / np.pi)[:, None]
    points = arm * np.where(labels == 0, 1, -1)[:, None]
    return _sample(points, along[:, None], noise, random, labels)


def _checked(n: Any, noise: Any, seed: Any) -> tuple[int, float, np.random.Generator]:
    return as_count(n, "n"), as_number(noise, "noise", least=0), generator(seed)


def _spiral_length(t: Any) -> Any:
    """The length of the spiral of radius t, from 0 to the angle t."""
    return (t * np.sqrt(1 + t * t) + np.arcsinh(t)) / 2


def _sample(
    points: _Floats,
    coordinates: _Floats,
    noise: float,
    random: np.random.Generator,
    labels: Any = None,
) -> ManifoldPoints:
    if noise > 0:
        points = points + noise * random.standard_normal(points.shape)
    labels = np.zeros(len(points)) if labels is None else labels
    return ManifoldPoints(points.astype(np.float32), coordinates, labels.astype(np.int64))
