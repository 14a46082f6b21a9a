"""Pairs of neighbouring patches of photos, and on which side of the first the second lies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_choice, as_count, as_number
from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, as_pixels, resize
from kinfold.learn.aberration import COLOURS, Patches, without_aberration

# Rows and columns from the first patch to the second: row by row, without the centre.
OFFSETS = np.array([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c])
# Least and most pixels of a photo as it is looked at.
PIXELS = (150_000, 450_000)
# Pixels of the smallest patch that is enlarged again.
_LEAST_PIXELS = 100
# Photos that would be enlarged further than this hold nothing but blur.
_MOST_ENLARGED = 2.0


class PairBatch(NamedTuple):
    """Patches and their neighbours; every row is of one photo.

    patches : float32 (n, 1 + k, s, s, 3), centred, in grey levels: a patch, and behind it k of its neighbours
    positions : int64 (n, k) into ``OFFSETS``: where each of them lies from the patch
    """

    patches: Patches
    positions: Ids


@dataclass(frozen=True)
class Grid:
    """Nine patches, three by three, of which pairs are one in the centre and one around it.

    patch : side in pixels
    gap : pixels between neighbours before they are moved
    jitter : each patch is moved by up to so many pixels along either axis; no patches ever touch
    """

    patch: int = 96
    gap: int = 48
    jitter: int = 7

    def __post_init__(self) -> None:
        as_count(self.patch, "patch", least=16)
        as_count(self.jitter, "jitter", least=0)
        as_count(self.gap, "gap", least=2 * self.jitter + 1)

    @property
    def side(self) -> int:
        """What of a photo all nine need, wherever they are moved."""
        return 3 * self.patch + 2 * self.gap + 2 * self.jitter

    def draw(
        self, height: int, width: int, neighbours: int, random: np.random.Generator
    ) -> tuple[NDArray[np.int64], Ids]:
        """Upper left corners, row and column, of a patch and of some of its neighbours; and their positions.

        Returns int64 (1 + neighbours, 2) and (neighbours,). The grid lies anywhere in the photo where it is whole, so
        that where the first patch is tells nothing of the position.
        """
        positions = random.permutation(len(OFFSETS))[:neighbours]
        room = np.array([height, width]) - self.side
        centre = random.integers(room + 1) + self.jitter + self.patch + self.gap
        steps = np.concatenate([[[0, 0]], OFFSETS[positions]]) * (self.patch + self.gap)
        moved = random.integers(-self.jitter, self.jitter + 1, size=steps.shape)
        return centre + steps + moved, positions


class PatchPairs:
    """Pairs of patches of any photos, without end; which, depends on seed and epoch alone.

    Doersch, Gupta & Efros, ICCV 2015, section 3.1: photos brought to a random size with their aspect kept, two patches
    of a grid that lies anywhere, each moved a little, some made coarse, colours hidden that tell the place.

    photos : pixels uint8 (H, W, 3) or files. Those in which no whole grid fits are left out, and those that cannot be
        read: ``left_out`` says which and why, of those that were looked at
    grid : what the patches are
    pixels : least and most pixels of a photo as it is looked at; small photos are enlarged, at least to a grid
    neighbours : of each patch, drawn from the eight around it: more of them make more pairs of fewer patches and photos
    coarse : share of patches that are reduced, to 100 pixels at least, and enlarged again
    colour : "projection", "drop" or "keep", see learn.aberration
    memory : bytes of decoded photos; where they do not suffice, every epoch looks at other photos
    seed : of all that is random
    """

    def __init__(
        self,
        photos: Sequence[Any],
        *,
        grid: Grid = Grid(),
        pixels: tuple[int, int] = PIXELS,
        neighbours: int = 1,
        coarse: float = 0.33,
        colour: str = "projection",
        memory: int = 1 << 30,
        seed: int = 0,
    ) -> None:
        if not len(photos):
            raise ValueError("photos: expected at least one")
        self.photos, self.grid = photos, grid
        least, most = pixels
        self.most = as_count(most, "pixels", least=grid.side**2)
        self.least = as_count(least, "pixels", most=self.most)
        self.neighbours = as_count(neighbours, "neighbours", most=len(OFFSETS))
        self.coarse = as_number(coarse, "coarse", least=0, most=1)
        self.colour = as_choice(colour, "colour", COLOURS)
        self.seed = as_count(seed, "seed", least=0)
        self.memory = as_count(memory, "memory")
        self._kept: dict[int, Any] = {}  # Pillow's, of which it crops and resizes at once
        self.left_out: dict[int, str] = {}

    def batches(self, epoch: int, *, count: int, batch: int) -> Iterator[PairBatch]:
        """An epoch's pairs, about so many, in batches of equal size. Every photo comes once before any comes again."""
        centres = max(1, as_count(batch, "batch") // self.neighbours)
        total = max(1, as_count(count, "count") // (centres * self.neighbours)) * centres
        random = np.random.default_rng([self.seed, as_count(epoch, "epoch", least=0)])
        photos = self._decoded(random.permutation(len(self.photos)))
        turns = -(-total // len(photos))
        order = np.concatenate([random.permutation(len(photos)) for _ in range(turns)])[:total]
        for start in range(0, total, centres):
            yield self._batch([photos[row] for row in order[start : start + centres]], random)

    def _batch(self, photos: list[Any], random: np.random.Generator) -> PairBatch:
        side = self.grid.patch
        patches = np.empty((len(photos), 1 + self.neighbours, side, side, 3), np.uint8)
        positions = np.empty((len(photos), self.neighbours), np.int64)
        for row, photo in enumerate(photos):
            height, width = self._size(photo, random)
            corners, positions[row] = self.grid.draw(height, width, self.neighbours, random)
            shrink = photo.width / width, photo.height / height
            for of, (top, left) in enumerate(corners):
                coarse = self._coarse(random) if random.random() < self.coarse else None
                patches[row, of] = _cropped(photo, left, top, shrink, side, coarse)
        hidden = without_aberration(patches.reshape(-1, side, side, 3), self.colour, random)
        return PairBatch(hidden.reshape(patches.shape), positions)

    def _size(self, photo: Any, random: np.random.Generator) -> tuple[int, int]:
        """Height and width at which a photo is looked at this time."""
        width, height = photo.size
        fewest = height * width * (self.grid.side / min(height, width)) ** 2
        area = random.uniform(min(max(self.least, fewest), self.most), self.most)
        scale = (area / (height * width)) ** 0.5
        least = self.grid.side
        return max(least, round(height * scale)), max(least, round(width * scale))

    def _coarse(self, random: np.random.Generator) -> int:
        return int(random.integers(round(_LEAST_PIXELS**0.5), self.grid.patch))

    def _decoded(self, order: NDArray[np.int64]) -> list[Any]:
        """The first photos in an order, as many as memory holds. ValueError where none is of use."""
        before, self._kept, held = self._kept, {}, 0
        for row in map(int, order):
            if row in self.left_out:
                continue
            photo = before.get(row)
            try:
                if photo is None:
                    photo = at_working_size(self.photos[row], self.grid, self.most)
            except ImageError as error:
                self.left_out[row] = str(error)
                continue
            held += 4 * photo.width * photo.height
            if held > self.memory and self._kept:
                break
            self._kept[row] = photo
        if not self._kept:
            row, reason = next(iter(self.left_out.items()))
            raise none_of_use(len(order), self.photos[row], reason)
        return list(self._kept.values())


def at_working_size(photo: Any, grid: Grid, most: int) -> Any:
    """A photo as Pillow's, with no more than so many pixels. ImageError where no whole grid fits, or it is no photo."""
    if isinstance(photo, (str, os.PathLike)):
        # No side of a photo in which a grid fits is longer.
        pixels = decode(photo, max_side=most // grid.side).pixels
    else:
        pixels = as_pixels(photo, "photos")
    height, width = pixels.shape[:2]
    shorter, longer = sorted((height, width))
    if shorter * _MOST_ENLARGED < grid.side:
        least = grid.side / _MOST_ENLARGED
        raise ImageError(
            f"{width} x {height} pixels: expected {least:.0f} at least along either side"
        )
    if longer / shorter * grid.side**2 > most:
        raise ImageError(f"{width} x {height} pixels: too narrow for three patches by three")
    scale = (most / (height * width)) ** 0.5
    if scale < 1:
        pixels = resize(pixels, round(width * scale), round(height * scale))
    return require("PIL.Image").fromarray(pixels)


def _cropped(
    photo: Any, left: int, top: int, shrink: tuple[float, float], side: int, coarse: int | None
) -> Pixels:
    """A patch (side, side, 3) of a photo as if it had been resized: shrink is its pixels by those of the new size."""
    across, down = shrink
    # Bilinear over the area that each new pixel covers.
    bilinear = require("PIL.Image").Resampling.BILINEAR
    right, bottom = min((left + side) * across, photo.width), min((top + side) * down, photo.height)
    patch = photo.resize((side, side), bilinear, box=(left * across, top * down, right, bottom))
    if coarse is not None:
        patch = patch.resize((coarse, coarse), bilinear).resize((side, side), bilinear)
    return np.asarray(patch)


def none_of_use(count: int, photo: Any, reason: str) -> ValueError:
    """What to raise where none of so many photos is of use, such as this one."""
    name = os.fspath(photo) if isinstance(photo, (str, os.PathLike)) else "one"
    return ValueError(f"photos: none of {count} can be learnt from; {name}: {reason}")
