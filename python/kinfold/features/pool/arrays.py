"""The poolings on numpy's arrays, for networks that run without torch; the modules beside are what they must equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice, as_number
from kinfold.features.pool.grid import Grid

Maps = NDArray[np.float32]

# CroW's, see ``pool.crow``.
FORMS = ("reference", "paper", "lecture")


def maxima(maps: Maps, boxes: list[tuple[int, int, int, int]]) -> Maps:
    """The maximum of each map in each box, x0, y0, x1, y1 in cells: (n, k, h, w) to (n, r, k)."""
    parts = [maps[:, :, y0:y1, x0:x1].max(axis=(2, 3)) for x0, y0, x1, y1 in boxes]
    return np.stack(parts, axis=1)


def unit(vectors: Maps) -> Maps:
    """At length one along the last axis; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def crow_places(maps: Maps, form: str = "reference") -> Maps:
    """CroW's weights of the places, (n, h, w), see ``pool.crow``."""
    as_choice(form, "form", FORMS)
    total: Maps = maps.sum(axis=1)
    if form == "lecture":
        return total
    total = np.maximum(total, 0)
    length = np.sqrt(np.square(total).sum(axis=(1, 2), keepdims=True))
    weights: Maps = np.sqrt(total / np.where(length > 0, length, 1))
    return weights


def crow_channels(maps: Maps, form: str = "reference", eps: float = 1e-6) -> Maps:
    """CroW's weights of the channels, (n, k), by their sparsity, see ``pool.crow``."""
    as_choice(form, "form", FORMS)
    share = (maps > 0).mean(axis=(2, 3), dtype=np.float32)
    total = share.sum(axis=1, keepdims=True)
    if form == "lecture":
        return -np.log(np.float32(eps) + share)
    if form == "paper":
        return np.log((share.shape[1] * np.float32(eps) + total) / (np.float32(eps) + share))
    weights: Maps = np.log(np.where(share > 0, total, 1) / np.where(share > 0, share, 1))
    return weights


def _mac(maps: Maps, p: float) -> Maps:
    largest: Maps = maps.max(axis=(2, 3))
    return largest


def _spoc(maps: Maps, p: float) -> Maps:
    mean: Maps = maps.mean(axis=(2, 3))
    return mean


def _spoc_centre(maps: Maps, p: float) -> Maps:
    height, width = maps.shape[2:]
    y, x = (np.arange(side, dtype=np.float32) - (side - 1) / 2 for side in (height, width))
    prior = np.exp(-(y[:, None] ** 2 + x**2) / (2 * (min(height, width) / 6) ** 2))
    pooled: Maps = (maps * (prior / prior.sum())).sum(axis=(2, 3))
    return pooled


def _gem(maps: Maps, p: float) -> Maps:
    positive = np.maximum(maps, np.float32(1e-6))
    top = positive.max(axis=(2, 3), keepdims=True)
    mean = ((positive / top) ** np.float32(p)).mean(axis=(2, 3))
    pooled: Maps = mean ** np.float32(1 / p) * top[..., 0, 0]
    return pooled


def _crow(maps: Maps, p: float) -> Maps:
    weighed = (maps * crow_places(maps)[:, None]).sum(axis=(2, 3))
    return weighed * crow_channels(maps)


def _rmac(maps: Maps, p: float) -> Maps:
    regions: Maps = unit(maxima(maps, Grid().boxes(*maps.shape[2:]))).sum(axis=1)
    return regions


def _flatten(maps: Maps, p: float) -> Maps:
    return maps.reshape(len(maps), -1)


METHODS: dict[str, Callable[[Maps, float], Maps]] = {
    "mac": _mac,
    "spoc": _spoc,
    "spoc-centre": _spoc_centre,
    "gem": _gem,
    "crow": _crow,
    "rmac": _rmac,
    "flatten": _flatten,
}


@dataclass(frozen=True)
class ArrayPool:
    """One of METHODS: maps (n, k, h, w), float32, to vectors (n, d), not normalised.

    p : exponent of GeM; 1 of others
    """

    name: str
    p: float = 1.0

    def __post_init__(self) -> None:
        as_choice(self.name, "pooling", METHODS)
        as_number(self.p, "p", least=1e-3, most=1e3)

    def __call__(self, maps: Maps) -> Maps:
        """Maps (n, k, h, w) to (n, d)."""
        return METHODS[self.name](maps, self.p)

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"name": self.name, "p": self.p}
