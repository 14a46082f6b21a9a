"""Photos side by side in one picture, with what was found in them drawn in: for those who see one picture at a time."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.gallery.photo import Photo, known_file
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, fit

Points = NDArray[np.float64]
_BAR = 18  # of a tile's words
_GAP = 6
_GREY, _INK, _OUTLINE = (72, 72, 72), (255, 255, 255), (255, 176, 0)
# More lines than these hide the photos.
_LINES = 40


@dataclass(frozen=True)
class Tile:
    """One photo of a sheet.

    words : below it
    pixels : uint8 (H, W, 3), or None for a grey field: a photo whose file is gone
    size : width and height of the photo in whose pixels outlines are given
    outlines : closed lines, each float64 (m, 2)
    """

    words: str
    pixels: Pixels | None
    size: tuple[int, int]
    outlines: Sequence[Points] = ()


def tile_of(
    photo: Photo, root: Path, words: str, side: int, outlines: Sequence[Points] = ()
) -> Tile:
    """A photo of the gallery, if its file is still the one that was described."""
    file = known_file(root, photo)
    pixels = None
    if file is not None:
        try:
            pixels = decode(file, max_side=side).pixels
        except ImageError:
            pixels = None
    return Tile(words, pixels, (photo.width or 1, photo.height or 1), outlines)


def sheet(tiles: Sequence[Tile], side: int = 240, columns: int = 4) -> bytes:
    """A JPEG file of tiles, row by row, each as large as ``side`` at most."""
    columns = max(1, min(columns, len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    image, draw = _blank(columns * (side + _GAP) + _GAP, rows * (side + _BAR + _GAP) + _GAP)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        x, y = _GAP + column * (side + _GAP), _GAP + row * (side + _BAR + _GAP)
        _put(image, draw, tile, (x, y), side)
    return _jpeg(image)


def pair(first: Tile, second: Tile, matches: Points, side: int = 480) -> bytes:
    """A JPEG file of two tiles, with lines from x and y in the first to x and y in the second, float64 (m, 4)."""
    image, draw = _blank(2 * side + 3 * _GAP, side + _BAR + 2 * _GAP)
    places = (_GAP, _GAP), (2 * _GAP + side, _GAP)
    grow = [_put(image, draw, tile, at, side) for tile, at in zip((first, second), places)]
    step = max(1, math.ceil(len(matches) / _LINES))
    for ours_x, ours_y, theirs_x, theirs_y in matches[::step].tolist():
        ends = [
            (at[0] + x * factor, at[1] + y * factor)
            for at, factor, x, y in zip(places, grow, (ours_x, theirs_x), (ours_y, theirs_y))
        ]
        draw.line(ends, fill=(0, 220, 120), width=1)
    return _jpeg(image)


def _blank(width: int, height: int) -> tuple[Any, Any]:
    image = require("PIL.Image").new("RGB", (width, height), (24, 24, 24))
    return image, require("PIL.ImageDraw").Draw(image)


def _put(image: Any, draw: Any, tile: Tile, at: tuple[int, int], side: int) -> float:
    """Draw a tile; how many pixels one of the photo becomes."""
    width, height = tile.size
    factor = side / max(width, height, 1)
    shown = max(1, round(width * factor)), max(1, round(height * factor))
    if tile.pixels is None:
        draw.rectangle((*at, at[0] + shown[0] - 1, at[1] + shown[1] - 1), fill=_GREY)
    else:
        small = require("PIL.Image").fromarray(fit(tile.pixels, side)).resize(shown)
        image.paste(small, at)
    for outline in tile.outlines:
        # Within the tile: what lies outside of the photo is another's.
        inside = np.clip(outline * factor, 0, np.array(shown) - 1) + at
        draw.line([tuple(p) for p in [*inside.tolist(), inside[0].tolist()]], fill=_OUTLINE, width=2)  # fmt: skip
    words = tile.words.encode("latin-1", "replace").decode("latin-1")  # what the small font has
    draw.text((at[0], at[1] + side + 3), words[: side // 6], fill=_INK)
    return factor


def _jpeg(image: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return stream.getvalue()
