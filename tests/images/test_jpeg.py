"""JPEG files without their end, and those whose scans are too many."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

from kinfold.base.errors import ImageError
from kinfold.images.decode import decode

KINDS = [
    (mode, progressive, side)
    for mode in ("L", "RGB", "CMYK")
    for progressive in (False, True)
    for side in (None, 60)
]


def photo(mode: str, progressive: bool, **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((320, 240)).convert(mode)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, progressive=progressive, **options)
    return file.getvalue()


@pytest.mark.parametrize(("mode", "progressive", "side"), KINDS)
def test_a_photo_is_decoded_as_far_as_it_goes(mode, progressive, side) -> None:
    data = photo(mode, progressive)
    whole = decode(data, max_side=side)
    assert whole.note == ""
    for lost in (1, 2, 3, len(data) // 100, len(data) // 10, len(data) // 4):
        got = decode(data[:-lost], max_side=side)
        assert got.note.startswith("truncated: ") and got.note.endswith("missing")
        assert got.pixels.shape == whole.pixels.shape and got.full_size == whole.full_size
        rows = slice(0, int(0.6 * len(whole.pixels)))
        apart = np.abs(got.pixels[rows].astype(int) - whole.pixels[rows]).mean()
        # Of a progressive one the last scans, which refine all rows, may be missing.
        assert apart < (20 if progressive else 0.5)
    if not progressive:
        share = re.fullmatch(r"truncated: the lower (\d+)% of its rows are missing", got.note)
        assert share is not None and 15 < int(share[1]) < 35


@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_anywhere_is_the_photo_or_one_error(progressive) -> None:
    """Also within what describes the pixels to come."""
    data = photo("RGB", progressive)
    head = data.index(b"\xff\xda")
    kept = []
    for length in [*range(4, head + 40), *range(head + 40, len(data), 97)]:
        try:
            got = decode(data[:length])
        except ImageError:
            kept.append(False)
        else:
            kept.append(True)
            assert got.note and got.pixels.shape == (240, 320, 3)
    assert kept == sorted(kept), "once enough of a photo is there, more of it is enough, too"
    assert not kept[0] and kept[-1] and not any(kept[:head])


def test_a_cut_in_any_marker_of_a_progressive_photo() -> None:
    data = photo("RGB", True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    for lost in range(second + 60, second - 60, -1):
        assert decode(data[:lost]).note


def test_too_little_of_a_photo_is_none() -> None:
    data = photo("RGB", False)
    with pytest.raises(ImageError, match=r"truncated: \d\d% of its rows are missing"):
        decode(data[: len(data) // 3])


def test_what_stands_behind_the_end_is_not_missing() -> None:
    data = photo("RGB", True)
    film = np.random.default_rng(1).integers(0, 256, 1 << 20).astype(np.uint8).tobytes()
    for more in (b"\0", b"\xff", film, b"\xff\xda" * 5000, data):
        assert decode(data + more).note == ""


def with_scans(data: bytes, scans: int) -> bytes:
    """The last scan of a file as often as that: each goes over the whole photo."""
    last, end = data.rindex(b"\xff\xda"), len(data) - 2
    return data[:last] + data[last:end] * scans + data[end:]


@pytest.mark.parametrize("progressive", [False, True])
def test_scans_without_number_are_refused(progressive) -> None:
    small = np.full((16, 16), 200, np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    with pytest.raises(ImageError, match=r"a JPEG of 20,0\d\d scans, more than 200"):
        decode(with_scans(data, 20_000))
    with pytest.raises(ImageError, match="scans, more than 200"):
        decode(with_scans(data, 20_000)[:-2])


def test_scans_of_a_thumbnail_are_not_the_photos() -> None:
    thumbnail = b"\xff\xda" * 5000
    exif = Image.Exif()
    exif[0x010E] = thumbnail.decode("latin1")
    assert photo("RGB", True, comment=thumbnail).count(b"\xff\xda") > 5000
    assert decode(photo("RGB", True, comment=thumbnail)).note == ""
