"""Descriptors of the regions of a photo, kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_choice, as_count, as_number
from kinfold.base.progress import progress
from kinfold.features.batches import by_size, windows
from kinfold.features.extract import Extractor
from kinfold.features.pool.arrays import unit
from kinfold.features.pool.grid import Grid
from kinfold.features.whitening import whitened_dim
from kinfold.images.resize import Pixels, resize
from kinfold.transform.normalize import l2_normalize

Boxes = NDArray[np.float64]
SOURCES = ("maps", "photo")


def square_windows(height: int, width: int, levels: int = 4, ratio: float = 1.0) -> Boxes:
    """Overlapping squares of several scales on the largest centred square of a photo: x0, y0, x1, y1 (r, 4).

    Scale l has l x l squares of side 2 ratio / (l + 1) of the large one's, evenly spaced from edge to edge; the first
    is the whole of it. Four scales are 30 regions. After Razavian, Sullivan, Carlsson & Maki 2014, section 3.1.
    """
    whole = min(height, width)
    left, top = (width - whole) / 2, (height - whole) / 2
    boxes = []
    for level in range(1, levels + 1):
        side = min(1.0, 2 * ratio / (level + 1)) * whole if level > 1 else whole
        starts = [(whole - side) * i / max(level - 1, 1) for i in range(level)]
        boxes += [
            (left + x, top + y, left + x + side, top + y + side) for y in starts for x in starts
        ]
    return np.array(boxes)


class RegionalExtractor:
    """Describe the regions of photos: each L2, and where there is a whitening, whitened, L2.

    Parameters
    ----------
    extractor : whose network and sizes are used; its pooling and whitening are not
    source :
        "maps"   regions of the feature maps on the grid of R-MAC, maximum of each: one pass of the network
        "photo"  square windows of the photo, each warped to the network's input: Razavian et al. 2014, dearer
    levels : scales of the grid; None for 3 on maps, 4 on photos
    whole : on maps, the whole of them as the first region
    side : of the square that a window of a photo is warped to
    grid : a window's maps are pooled by maximum in grid x grid parts: 1 or 2
    ratio : of the windows' sides, see square_windows
    whitening : fitted on regions of other photos: PCA or LearnedWhitening

    Raises ValueError for a network that gives codes.

    Examples
    --------
    >>> network = kf.Extractor("random", architecture="squeezenet1_1")
    >>> pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    >>> kf.RegionalExtractor(network, levels=1).describe(pixels).shape  # the whole, and two squares
    (3, 512)
    """

    def __init__(
        self,
        extractor: Extractor,
        *,
        source: str = "maps",
        levels: int | None = None,
        whole: bool = True,
        side: int = 224,
        grid: int = 1,
        ratio: float = 1.0,
        whitening: Any = None,
    ) -> None:
        self.source = as_choice(source, "source", SOURCES)
        chosen = {"maps": 3, "photo": 4}[source] if levels is None else levels
        self.levels = as_count(chosen, "levels", most=20)
        self.side = as_count(side, "side", least=extractor.trunk.least_side)
        self.grid = as_count(grid, "grid", most=16)
        self.ratio = as_number(ratio, "ratio", least=0.1, most=2)
        if extractor.trunk.codes:
            raise ValueError("extractor: expected a network that gives maps, this one gives codes")
        self.extractor = extractor
        self._forward = extractor._forward
        self._regions = Grid(self.levels, whole=bool(whole))
        self._raw_dim = extractor.trunk.dim * (self.grid**2 if source == "photo" else 1)
        self._whiten(whitening)

    def _whiten(self, whitening: Any) -> None:
        self.whitening = whitening
        self.dim = whitened_dim(whitening, self._raw_dim)

    def whitened(self, whitening: Any) -> RegionalExtractor:
        """The same extractor with another whitening, or None, fitted on what it gives without."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._whiten(whitening)
        return other

    def describe(self, photo: Any) -> Vectors:
        """The regions of one photo, pixels uint8 (H, W, 3) or a file: float32 (r, dim), rows of length one."""
        return self._describe([self.extractor._prepared(photo)])[0]

    def describe_all(self, photos: Iterable[Any], *, verbose: bool = True) -> list[Vectors]:
        """The regions of many photos, an array (r, dim) each."""
        total = len(photos) if isinstance(photos, Sized) else None
        described: list[Vectors] = []
        with progress((), "describe", verbose=verbose, total=total) as bar:
            for window in windows(photos, self.extractor._prepared):
                part: dict[int, Vectors] = {}
                for rows in by_size(window, self.extractor.batch):
                    part.update(zip(rows, self._describe([window[row] for row in rows])))
                    bar.update(len(rows))
                described += [part[row] for row in range(len(window))]
        return described

    def boxes(self, photo: Any) -> Boxes:
        """Where the regions are on the photo as the network sees it, in pixels: float64 (r, 4).

        Those of maps are cells times the stride: the part that each cell is the centre of.
        """
        pixels = self.extractor._prepared(photo)
        height, width = pixels.shape[:2]
        if self.source == "photo":
            return square_windows(height, width, self.levels, self.ratio)
        shape = self.extractor.maps_of(pixels).shape
        scale = [width / shape[2], height / shape[1]] * 2
        return np.array(self._regions.boxes(*shape[1:])) * scale

    def _describe(self, photos: list[Pixels]) -> list[Vectors]:
        """Photos of one shape to an array each."""
        with self._forward.computing():
            described = unit(
                self._of_maps(photos) if self.source == "maps" else self._of_photos(photos)
            )
        if self.whitening is None:
            return list(described)
        return [l2_normalize(self.whitening.transform(part)) for part in described]

    def _of_maps(self, photos: list[Pixels]) -> Vectors:
        forward = self._forward
        maps = forward(forward.scaled(forward.images(photos), 1.0))
        return forward.numbers(forward.maxima(maps, self._regions.boxes(*maps.shape[-2:])))

    def _of_photos(self, photos: list[Pixels]) -> Vectors:
        height, width = photos[0].shape[:2]
        squares = square_windows(height, width, self.levels, self.ratio)
        boxes = np.rint(squares).astype(int)
        forward, parts = self._forward, []
        for pixels in photos:
            windows_ = [
                resize(pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], self.side, self.side)
                for x0, y0, x1, y1 in boxes
            ]
            pooled = []
            for i in range(0, len(windows_), 8):
                maps = forward(forward.images(windows_[i : i + 8]))
                rows, columns = maps.shape[-2:]
                largest = forward.maxima(maps, _parts(rows, columns, self.grid))
                # Channel by channel, the parts of each.
                pooled.append(forward.numbers(largest).swapaxes(1, 2).reshape(len(maps), -1))
            parts.append(np.concatenate(pooled))
        return np.stack(parts)


def _parts(height: int, width: int, grid: int) -> list[tuple[int, int, int, int]]:
    """Maps in grid x grid parts that cover them, in cells; those of maps too small for that overlap."""
    rows, columns = (
        [(i * side // grid, -(-(i + 1) * side // grid)) for i in range(grid)]
        for side in (height, width)
    )
    return [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]
