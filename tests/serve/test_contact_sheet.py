"""Sheets: every tile in its place, outlines inside their photos, files that changed left out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

PIL = pytest.importorskip("PIL.Image")
pytest.importorskip("cv2")

from kinfold.serve.contact_sheet import Tile, pair, sheet, tile_of


def picture(jpeg: bytes) -> np.ndarray:
    with PIL.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def tile(colour: int, outlines: tuple[np.ndarray, ...] = ()) -> Tile:
    return Tile(f"t{colour}", np.full((100, 200, 3), colour, np.uint8), (400, 200), outlines)


def test_tiles_stand_in_rows() -> None:
    seen = picture(sheet([tile(40 * i) for i in range(6)], side=100, columns=4))
    assert seen.shape == (2 * 124 + 6, 4 * 106 + 6, 3)
    for i in range(6):
        row, column = divmod(i, 4)
        # Half as high as wide: the photo is at the top of its tile.
        assert abs(seen[6 + 124 * row + 25, 6 + 106 * column + 50] - 40 * i).max() < 8
        assert abs(seen[6 + 124 * row + 70, 6 + 106 * column + 50] - 24).max() < 8


def test_outlines_are_drawn_in_the_photos_own_pixels_and_stay_within() -> None:
    box = np.array([[100.0, 50], [300, 50], [300, 150], [100, 150]])
    seen = picture(sheet([tile(0, (box, box * 50))], side=100))
    orange = (seen[..., 0] > 150) & (seen[..., 2] < 110)
    y, x = np.nonzero(orange)
    assert abs(x.min() - (6 + 25)) <= 1 and abs(y.min() - (6 + 12)) <= 2
    assert x.max() <= 106 and y.max() <= 56
    assert not (seen[30, 40:70, 0] > 150).any()


def test_lines_join_what_matches() -> None:
    matches = np.array([[40.0, 100, 360, 100]])
    seen = picture(pair(tile(0), tile(0), matches, side=200))
    green = (seen[..., 1] > 120) & (seen[..., 0] < 90)
    y, x = np.nonzero(green)
    assert abs(x.min() - (6 + 20)) <= 5 and abs(x.max() - (12 + 200 + 180)) <= 5
    assert abs(y - 56).max() <= 2


def test_names_of_any_letters_and_photos_that_are_gone(city: Path) -> None:
    from kinfold import Gallery

    with Gallery.open(city) as gallery:
        photo = gallery.photos[0]
        there = tile_of(photo, gallery.root, "写真 \x00 🙂", 64)
        assert there.pixels is not None and max(there.pixels.shape) == 64
        assert sheet([there]).startswith(b"\xff\xd8")
        gone = tile_of(photo, city, "gone", 64)
        assert gone.pixels is None
        assert abs(picture(sheet([gone]))[40, 40] - 72).max() < 6
