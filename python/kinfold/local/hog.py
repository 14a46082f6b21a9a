"""Histograms of gradients on a grid of cells: what a tracker compares."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_ndarray
from kinfold.base.offered import call_by_name

# Directions of a gradient with its sign, and without.
_SIGNED, _UNSIGNED = 18, 9
CHANNELS = _SIGNED + _UNSIGNED + 4
_MOST = 0.2


def hog(grey: Any, *, cell: int = 4) -> NDArray[np.float32]:
    """Gradient histograms (H // cell, W // cell, 31) of a grey image (H, W), float32.

    Felzenszwalb, Girshick, McAllester & Ramanan, PAMI 2010, section 6: the gradient of a pixel votes with its length
    for one of 18 directions, bilinearly in the four nearest cells. A cell's histogram is divided by the energy of each
    of the four blocks of 2 x 2 cells that it lies in, and cut at 0.2: 18 signed and 9 unsigned directions are summed
    over the blocks, halved, and the four blocks' sums over the directions stand behind them.

    grey : numbers of any scale, at least one cell large; beyond the last whole cell it is not looked at
    """
    image, side = as_ndarray(grey, "grey"), as_count(cell, "cell")
    if image.ndim != 2 or min(image.shape) < side or image.dtype.kind not in "uif":
        raise ValueError(
            f"grey: expected numbers (H, W), at least {side} each way, got {image.dtype} {image.shape}"
        )
    rows, columns = image.shape[0] // side, image.shape[1] // side
    image = image[: rows * side, : columns * side].astype(np.float32)
    padded = np.pad(image, 1, mode="edge")
    dx, dy = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
    length = np.sqrt(dx * dx + dy * dy)
    direction = np.rint(np.arctan2(dy, dx) * np.float32(_SIGNED / (2 * np.pi))).astype(np.int64)
    votes = np.zeros((rows + 2) * (columns + 2) * _SIGNED)
    for place, weight in _shares(rows, columns, side):
        votes += np.bincount(
            (place + direction % _SIGNED).ravel(), (weight * length).ravel(), len(votes)
        )
    signed = votes.reshape(rows + 2, columns + 2, _SIGNED)[1:-1, 1:-1]
    return _normalised(signed.astype(np.float32))


def _normalised(signed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histograms (r, c, 18) divided by the energies of the blocks around each cell, cut and summed."""
    unsigned = signed[..., :_UNSIGNED] + signed[..., _UNSIGNED:]
    energy = np.pad((unsigned**2).sum(axis=2), 1, mode="edge")
    blocks = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
    rows, columns = signed.shape[:2]
    found = np.zeros((rows, columns, CHANNELS), np.float32)
    both = np.concatenate([signed, unsigned], axis=2)
    for block, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        energies = blocks[down : down + rows, right : right + columns]
        cut = np.minimum(both * (1 / np.sqrt(energies + 1e-4))[..., None], _MOST)
        found[..., : _SIGNED + _UNSIGNED] += cut
        # The square root of 1/18: as many votes as there are signed directions.
        found[..., _SIGNED + _UNSIGNED + block] = cut[..., :_SIGNED].sum(axis=2) * 18**-0.5
    found[..., : _SIGNED + _UNSIGNED] /= 2
    return found


@lru_cache(maxsize=16)
def _shares(
    rows: int, columns: int, cell: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.float32]], ...]:
    """For each of the four cells that a pixel votes in: where that cell's histogram begins, and the pixel's share."""
    axes = []
    for count in (rows, columns):
        # Cell 1 is the first: one more on each side takes the votes that go beyond the image.
        place = (np.arange(count * cell) + 0.5) / cell + 0.5
        first = np.floor(place).astype(np.int64)
        axes.append(((first, 1 - (place - first)), (first + 1, place - first)))
    return tuple(
        (
            (row[:, None] * (columns + 2) + column) * _SIGNED,
            (share[:, None] * of).astype(np.float32),
        )
        for row, share in axes[0]
        for column, of in axes[1]
    )


call_by_name(__name__)
