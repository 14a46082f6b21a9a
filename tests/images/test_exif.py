from __future__ import annotations

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
from kinfold.images.decode import decode
from kinfold.images.exif import PhotoInfo, photo_info

NICE = {1: "N", 2: (43.0, 41.0, 30.0), 3: "E", 4: (7.0, 16.0, 12.0)}


def info(main: dict | None = None, more: dict | None = None, gps: dict | None = None) -> PhotoInfo:
    """What decode tells of a JPEG with these tags."""
    exif = Image.Exif()
    exif.update(main or {})
    if more:
        exif.get_ifd(0x8769).update(more)
    if gps:
        exif.get_ifd(0x8825).update(gps)
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG", exif=exif)
    return decode(file.getvalue()).info


def test_no_exif() -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG")
    assert decode(file.getvalue()).info == PhotoInfo()


def test_everything_at_once() -> None:
    got = info({0x010F: "Canon", 0x0110: "EOS 5D"}, {0x9003: "2024:05:01 12:30:59"}, NICE)
    assert got.taken == "2024-05-01T12:30:59"
    assert got.camera == "Canon EOS 5D"
    assert got.latitude == pytest.approx(43 + 41 / 60 + 30 / 3600)
    assert got.longitude == pytest.approx(7 + 16 / 60 + 12 / 3600)


def test_dates_by_preference() -> None:
    assert info({0x0132: "2020:01:01 00:00:00"}).taken == "2020-01-01T00:00:00"
    both = {0x9003: "0000:00:00 00:00:00", 0x9004: "2021:02:03 04:05:06"}
    assert info({0x0132: "2020:01:01 00:00:00"}, both).taken == "2021-02-03T04:05:06"


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "2024:13:01 00:00:00", "    :  :     :  :  ", "0001:01:01 00:00:00", "2024"],
)
def test_nonsense_dates_are_absent(date) -> None:
    assert info({0x0132: date}).taken is None


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON", "D70", "NIKON D70"),
        ("", "Pixel 8", "Pixel 8"),
        ("Apple\0\0rubbish", " iPhone ", "Apple iPhone"),
        ("Maker", "", "Maker"),
        ("", "", None),
        ("a\nb\x1b[31m", "c", "ab[31m c"),
    ],
)
def test_cameras(make, model, camera) -> None:
    assert info({0x010F: make, 0x0110: model}).camera == camera


def test_south_and_west_are_negative() -> None:
    got = info(gps={**NICE, 1: "S", 3: "W"})
    assert got.latitude < 0 and got.longitude < 0
    assert info(gps={**NICE, 1: "n", 3: "e\0"}).latitude > 0
    assert info(gps={1: "N", 2: (43.5, 0.0, 0.0), 3: "E", 4: (7.25, 0.0, 0.0)}).longitude == 7.25


@pytest.mark.parametrize(
    "change",
    [
        {1: "X"}, {1: ""}, {1: "E"}, {2: (91.0, 0.0, 0.0)}, {4: (181.0, 0.0, 0.0)}, {2: (43.0, 61.0, 0.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, {3: "N"},
    ],
    ids=repr,
)  # fmt: skip
def test_nonsense_positions_are_absent(change) -> None:
    got = info(gps={**NICE, **change})
    assert got.latitude is None and got.longitude is None


class Folders(dict):
    """Tags as a broken parser could give them."""

    def __init__(self, main: dict, gps: object) -> None:
        super().__init__(main)
        self.gps = gps

    def get_ifd(self, tag: int) -> object:
        if isinstance(self.gps, Exception):
            raise self.gps
        return self.gps if tag == 0x8825 else {}


class Fraction:
    def __float__(self) -> float:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        return "1/0"  # a test's name is the same in every process


@pytest.mark.parametrize(
    "gps",
    [
        ValueError("broken"), SyntaxError("broken"), KeyError(3), {}, None, {1: 3, 2: 4, 3: 5, 4: 6},
        {**NICE, 2: None}, {**NICE, 2: "text"}, {**NICE, 2: ()}, {**NICE, 2: (1, 2, 3, 4)}, {**NICE, 2: (Fraction(),)},
        {**NICE, 2: (float("nan"),)}, {**NICE, 2: (float("inf"),)}, {**NICE, 2: (-3.0, 0.0)}, {**NICE, 2: b"\xff\xff"},
    ],
    ids=repr,
)  # fmt: skip
def test_broken_parsers_and_types(gps) -> None:
    assert photo_info(Folders({0x0132: 7, 0x010F: b"\xff\xfe", 0x0110: None}, gps)).latitude is None


def test_one_or_both_positions() -> None:
    assert info(gps={1: "N", 2: (43.0, 0.0, 0.0)}) == PhotoInfo()


def test_random_bytes_as_exif(rng) -> None:
    from kinfold.base.errors import ImageError

    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0132] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8825).update(NICE)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    start = data.index(b"Exif") + 6
    for _ in range(300):
        bad = bytearray(data)
        for position in rng.integers(start, start + 200, 6):
            bad[position] = int(rng.integers(256))
        try:
            got = decode(bytes(bad)).info
        except ImageError:
            continue
        assert got.latitude is None or -90 <= got.latitude <= 90
        assert got.longitude is None or -180 <= got.longitude <= 180
