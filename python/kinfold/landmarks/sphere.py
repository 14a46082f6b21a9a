"""Positions on the Earth, taken for a sphere: how far apart they are, and the one in their midst."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import as_array

# The mean radius of the Earth in metres (IUGG).
RADIUS = 6_371_008.8
# Steps at most, and the angle of the last: less than a millimetre.
_STEPS, _STILL = 1000, 1e-10

Positions = NDArray[np.float64]


def as_positions(x: ArrayLike, name: str) -> Positions:
    """Latitudes and longitudes in degrees, float64 (n, 2). Raises ValueError for what is no place on Earth."""
    array = as_array(x, name).astype(np.float64) if np.size(x) else np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name}: expected latitudes and longitudes (n, 2), got {array.shape}")
    bad = ~(np.abs(array) <= [90, 180]).all(axis=1)
    if bad.any():
        latitude, longitude = array[bad.argmax()].tolist()
        raise ValueError(
            f"{name}: expected degrees, -90 to 90 north and -180 to 180 east, got {latitude:g}, {longitude:g}"
        )
    return array


def distances(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Metres along the surface between positions (n, 2) and (m, 2) in degrees: float64 (n, m)."""
    left, right = _vectors(as_positions(a, "a")), _vectors(as_positions(b, "b"))
    across = np.linalg.norm(np.cross(left[:, None], right[None]), axis=2)
    return RADIUS * np.arctan2(across, left @ right.T)


def median_position(positions: ArrayLike, weights: ArrayLike | None = None) -> Positions:
    """The position whose distances to all, each times its weight, have the least sum: float64 (2,), in degrees.

    positions : (n, 2), at least one, in degrees; they may lie around a pole or on both sides of the date line
    weights : (n,) above 0; all alike if not given
    Nearly half of the weight may lie anywhere without leading it far away. Weiszfeld's steps along great circles
    (Fletcher, Venkatasubramanian & Joshi, NeuroImage 2009) until they are shorter than a millimetre, which leave a
    position that they meet as Vardi & Zhang (PNAS 2000) do.
    """
    given = as_positions(positions, "positions")
    if not len(given):
        raise ValueError("positions: expected at least one")
    w = as_weights(weights, len(given))
    points = _vectors(given)
    # From the best of the positions on, sums only fall: no other of them is met.
    at = points[np.argmin(distances(given, given) @ w)]
    for _ in range(_STEPS):
        step = _step(at, points, w)
        length = float(np.linalg.norm(step))
        if length < _STILL:
            break
        at = np.cos(length) * at + np.sin(length) * step / length
        at /= np.linalg.norm(at)
    x, y, z = at.tolist()
    return np.degrees([math.atan2(z, math.hypot(x, y)), math.atan2(y, x)])


def as_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Weights (n,) above 0."""
    w = np.ones(n) if weights is None else as_array(weights, "weights").astype(np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w <= 0).any():
        raise ValueError(f"weights: expected {n} finite numbers above 0")
    return w


def _step(at: Positions, points: Positions, w: NDArray[np.float64]) -> Positions:
    """Weiszfeld's step, a tangent (3,)."""
    cosines = points @ at
    tangents = points - cosines[:, None] * at
    sines = np.linalg.norm(tangents, axis=1)
    apart = sines > 1e-12
    pull = (w[apart, None] * tangents[apart] / sines[apart, None]).sum(axis=0)
    strength, here = np.linalg.norm(pull), w[~apart & (cosines > 0)].sum()
    if strength <= here:
        return np.zeros(3)
    angles = np.arctan2(sines[apart], cosines[apart])
    step: Positions = (1 - here / strength) * pull / (w[apart] / angles).sum()
    return step


def _vectors(positions: Positions) -> Positions:
    """As unit vectors (n, 3)."""
    latitude, longitude = np.radians(positions).T
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )
