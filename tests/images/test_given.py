"""Photos as programs hold them."""

from __future__ import annotations

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

from kinfold.base.errors import ImageError
from kinfold.images.given import given_pixels


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_arrays_of_every_usual_kind(pixels) -> None:
    grey = pixels[:, :, 0]
    threefold = np.repeat(grey[:, :, None], 3, axis=2)
    opaque = np.dstack([pixels, np.full(grey.shape, 255, np.uint8)])
    for given, wanted in (
        (pixels, pixels),
        (pixels.astype(np.float64) / 255, pixels),
        (pixels.astype(np.float32) / 255, pixels),
        (pixels.astype(np.uint16) * 257, pixels),
        (opaque, pixels),
        (grey, threefold),
        (grey[:, :, None], threefold),
        (grey.tolist() and (grey > 99), np.where(threefold > 99, 255, 0)),
    ):
        found = given_pixels(given)
        assert found.dtype == np.uint8 and (found == wanted).all()
    clear = opaque.copy()
    clear[:, :, 3] = 0
    assert (given_pixels(clear) == 255).all()


def test_images_bytes_and_open_files(pixels) -> None:
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.save(file, "PNG")
    for given in (image, file.getvalue(), bytearray(file.getvalue()), io.BytesIO(file.getvalue())):
        assert (given_pixels(given) == pixels).all()
    exif = Image.Exif()
    exif[274] = 6  # to be turned clockwise
    image.save(file := io.BytesIO(), "PNG", exif=exif)
    assert (given_pixels(Image.open(file)) == np.rot90(pixels, -1)).all()
    assert (given_pixels(image.convert("L"))[:, :, 0] == np.asarray(image.convert("L"))).all()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 3)) - 0.1,
        np.full((4, 4), 255.0),
        np.full((4, 4), np.nan),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        io.StringIO("text"),
        None,
    ],
)
def test_what_is_no_photo(bad) -> None:
    with pytest.raises(ValueError, match="query"):
        given_pixels(bad, "query")


def test_bytes_of_something_else() -> None:
    with pytest.raises(ImageError, match="query: not a known image format"):
        given_pixels(b"no photo at all", "query")
