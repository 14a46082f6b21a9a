"""Photos that strangers send are decoded elsewhere: what breaks or holds a decoder leaves the server as it was."""

from __future__ import annotations

import io
import os
import signal
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from kinfold.base.errors import ImageError
from kinfold.images.decode import decode
from kinfold.serve.decoder import Decoder


@pytest.fixture(scope="module")
def decoder():
    made = Decoder(1, 20.0, 1_000_000)
    yield made
    made.close()


@pytest.fixture
def photo(scenes) -> bytes:
    return (scenes / "scene0" / "view1.jpg").read_bytes()


def test_pixels_are_those_of_the_library(decoder, photo, scenes) -> None:
    for side in (None, 100):
        found, expected = decoder.decoded(photo, side), decode(photo, max_side=side)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.full_size == expected.full_size
    path = scenes / "scene0" / "view1.jpg"
    np.testing.assert_array_equal(decoder.decoded(path, None).pixels, decode(path).pixels)


def png(width: int, height: int) -> bytes:
    """A PNG file that claims so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_more_pixels_than_may_be_are_refused_before_they_are_made(decoder, photo) -> None:
    with pytest.raises(ImageError, match="too many pixels"):
        decoder.decoded(png(40_000, 40_000), None)
    with pytest.raises(ImageError, match="too many pixels"):
        decoder.thumbnail(png(1001, 1000), 64)
    assert decoder.decoded(photo, 64)


@pytest.mark.parametrize(
    "data", [b"", b"<svg onload=alert(1)>", b"GIF89a", b"\xff\xd8\xff\xe0", b"%!PS"]
)
def test_what_is_no_photo_is_told(decoder, data) -> None:
    with pytest.raises(ImageError):
        decoder.decoded(data, None)


def test_a_decoder_that_is_held_is_ended_in_time_and_replaced(photo) -> None:
    decoder = Decoder(1, 1.5, 1_000_000)
    try:
        assert decoder.decoded(photo, 64)
        first = decoder._workers[0]._process.pid
        os.kill(first, signal.SIGSTOP)  # as a file does that never comes to its end
        began = time.monotonic()
        with pytest.raises(ImageError, match="takes longer than"):
            decoder.decoded(photo, 64)
        assert time.monotonic() - began < 10
        decoder._seconds = 20.0
        assert decoder.decoded(photo, 64)
        assert decoder._workers[0]._process.pid != first
    finally:
        decoder.close()


def test_a_decoder_that_dies_is_told_and_replaced(photo) -> None:
    decoder = Decoder(1, 20.0, 1_000_000)
    try:
        assert decoder.decoded(photo, 64)
        os.kill(decoder._workers[0]._process.pid, signal.SIGKILL)
        decoder._workers[0]._process.wait()
        with pytest.raises(ImageError, match="its decoder ended"):
            decoder.decoded(photo, 64)
        assert decoder.decoded(photo, 64)
    finally:
        decoder.close()


def test_thumbnails_hold_pixels_and_nothing_that_the_file_said(decoder, photo) -> None:
    image, exif = Image.open(io.BytesIO(photo)), Image.Exif()
    exif[0x010F], exif[0x0112] = "SecretCamera", 6
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, comment=b"SecretComment", icc_profile=b"SecretProfile" * 10)
    assert b"SecretCamera" in file.getvalue() and b"SecretComment" in file.getvalue()
    made = decoder.thumbnail(file.getvalue(), 64)
    assert b"Secret" not in made and b"Exif" not in made
    assert not Image.open(io.BytesIO(made)).getexif()
