"""Raw photos: a DNG file written here, byte by byte, is developed, turned upright, and refused in plain words."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

image = pytest.importorskip("PIL.Image")

from kinfold.base.errors import ImageError
from kinfold.images.decode import decode
from kinfold.images.raw import RAW, decode_raw, is_raw
from kinfold.images.walk import survey

WIDTH, HEIGHT = 160, 120


def dng(path: Path, *, orientation: int = 1, preview: bytes = b"", width: int = WIDTH) -> Path:
    """A DNG of a plain sensor: red above, green on the right, blue elsewhere; 16 bits, RGGB (Adobe's DNG 1.4)."""
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
    colours[..., 2] = 40000
    colours[:, WIDTH // 2 :] = [0, 40000, 0]
    colours[: HEIGHT // 4] = [40000, 0, 0]
    sensor = colours[..., 1].copy()
    sensor[::2, ::2], sensor[1::2, 1::2] = colours[::2, ::2, 0], colours[1::2, 1::2, 2]
    data = sensor.astype("<u2").tobytes()
    short, long, ascii_, rational, byte = 3, 4, 2, 10, 1
    one = struct.pack("<ii", 1, 1)
    zero = struct.pack("<ii", 0, 1)
    identity = b"".join(one if i % 4 == 0 else zero for i in range(9))

    def directory(entries: list[tuple[int, int, int, bytes]], start: int, after: int = 0) -> bytes:
        """An image file directory at ``start``, with what does not fit into its entries behind it."""
        entries = sorted(entries)
        behind = start + 2 + 12 * len(entries) + 4
        head, tail = struct.pack("<H", len(entries)), b""
        for tag, kind, count, value in entries:
            if len(value) > 4:
                head += struct.pack("<HHII", tag, kind, count, behind + len(tail))
                tail += value + b"\0" * (len(value) % 2)
            else:
                head += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        return head + struct.pack("<I", after) + tail

    def number(tag: int, value: int, kind: int = long) -> tuple[int, int, int, bytes]:
        return tag, kind, 1, struct.pack("<H" if kind == short else "<I", value)

    strip = 8
    shown = strip + len(data)
    first = shown + len(preview) + len(preview) % 2
    main = [
        number(0xFE, 0), number(0x100, width), number(0x101, HEIGHT), number(0x102, 16, short), number(0x103, 1, short),
        number(0x106, 32803, short), (0x10F, ascii_, 5, b"Home\0"), (0x110, ascii_, 5, b"Made\0"), number(0x111, strip),
        number(0x112, orientation, short), number(0x115, 1, short), number(0x116, HEIGHT), number(0x117, len(data)),
        number(0x11C, 1, short), (0x132, ascii_, 20, b"2024:05:01 12:30:00\0"),
        (0x828D, short, 2, struct.pack("<HH", 2, 2)), (0x828E, byte, 4, bytes([0, 1, 1, 2])),
        (0xC612, byte, 4, bytes([1, 4, 0, 0])), (0xC614, ascii_, 10, b"Home Made\0"), number(0xC61D, 65535),
        (0xC621, rational, 9, identity), (0xC628, 5, 3, one * 3),
    ]  # fmt: skip
    body = directory(main, first)
    if preview:
        second = first + len(body)
        with image.open(io.BytesIO(preview)) as picture:
            wide, high = picture.size
        body = directory([*main, number(0x14A, second)], first)
        second = first + len(body)
        body = directory([*main, number(0x14A, second)], first)
        body += directory(
            [
                number(0xFE, 1), number(0x100, wide), number(0x101, high),
                (0x102, short, 3, struct.pack("<HHH", 8, 8, 8)), number(0x103, 7, short),
                number(0x106, 6, short), number(0x111, shown), number(0x115, 3, short),
                number(0x116, high), number(0x117, len(preview)),
            ],
            second,
        )  # fmt: skip
    header = b"II*\0" + struct.pack("<I", first)
    path.write_bytes(header + data + preview + b"\0" * (len(preview) % 2) + body)
    return path


def dominant(pixels: np.ndarray, y: float, x: float) -> int:
    """Which colour is strongest around a place, given by shares of the sides."""
    height, width = pixels.shape[:2]
    at = int(y * height), int(x * width)
    return int(pixels[at[0] - 3 : at[0] + 3, at[1] - 3 : at[1] + 3].mean(axis=(0, 1)).argmax())


@pytest.mark.parametrize("max_side", [None, 100, 60])
def test_it_is_developed(tmp_path, max_side) -> None:
    pytest.importorskip("rawpy")
    found = decode(dng(tmp_path / "a.dng"), max_side=max_side)
    assert found.full_size == (WIDTH, HEIGHT)
    longer = max_side or WIDTH
    assert found.pixels.shape == (round(longer * HEIGHT / WIDTH), longer, 3)
    assert found.pixels.dtype == np.uint8 and found.info.taken == "2024-05-01T12:30:00"
    assert found.info.camera == "Home Made"
    places = ((0.1, 0.5, 0), (0.7, 0.8, 1), (0.7, 0.2, 2))
    assert [dominant(found.pixels, y, x) for y, x, _ in places] == [c for *_, c in places]


# Orientation -> where the red band, then the green part lie.
TURNED = {
    1: ((0.1, 0.5), (0.7, 0.8)), 3: ((0.9, 0.5), (0.3, 0.2)), 6: ((0.5, 0.9), (0.8, 0.3)),
    8: ((0.5, 0.1), (0.2, 0.7)),
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("max_side", [None, 60])
@pytest.mark.parametrize("shown", [False, True])
def test_it_is_turned_upright(tmp_path, orientation, max_side, shown) -> None:
    pytest.importorskip("rawpy")
    file = io.BytesIO()
    plain = decode(dng(tmp_path / "plain.dng")).pixels
    image.fromarray(plain).save(file, "JPEG", quality=95)
    path = dng(
        tmp_path / "b.dng", orientation=orientation, preview=file.getvalue() if shown else b""
    )
    found = decode(path, max_side=max_side)
    turned = orientation in (6, 8)
    assert found.full_size == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    assert (found.pixels.shape[0] > found.pixels.shape[1]) == turned
    for colour, place in enumerate(TURNED[orientation]):
        assert dominant(found.pixels, *place) == colour


def test_what_is_none(tmp_path) -> None:
    pytest.importorskip("rawpy")
    path = dng(tmp_path / "a.dng")
    data = path.read_bytes()
    for name, content in (
        ("empty.nef", b""),
        ("noise.cr2", bytes(range(256)) * 40),
        ("half.dng", data[:400]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError):
            decode(tmp_path / name)
    with pytest.raises(ImageError, match="too many pixels"):
        decode(path, max_pixels=1000)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(
        ImageError, match=r"^raw photos need .* pip install 'kinfold\[raw\]'$"
    ) as caught:
        decode(dng(tmp_path / "a.dng"))
    assert caught.value.cause == "decoder"
    with pytest.raises(ImageError, match="kinfold"):
        decode_raw(tmp_path / "a.dng", None, lambda *_: None)


def test_they_are_photos_of_a_folder(tmp_path) -> None:
    for ending in (*RAW, ".NEF", ".jpg"):
        (tmp_path / f"x{ending}").write_bytes(b"x")
    assert len(survey(tmp_path).photos) == len(RAW) + 2
    assert (
        is_raw("a/b.NEF")
        and is_raw(Path("x.dng"))
        and not is_raw("dng")
        and not is_raw("x.dng.jpg")
    )
