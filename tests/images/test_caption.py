"""Words in photos: by files that other programs would read, and by nonsense."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from kinfold.images.caption import Caption, as_words, caption_of
from kinfold.images.decode import decode

image = pytest.importorskip("PIL.Image")

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:subject><rdf:Bag><rdf:li>Tour Eiffel</rdf:li><rdf:li>Été &amp; sun</rdf:li>
<rdf:li>tour eiffel</rdf:li></rdf:Bag></dc:subject>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">The tower</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def record(data_set: int, value: bytes, *, of: int = 2) -> bytes:
    return bytes([0x1C, of, data_set]) + len(value).to_bytes(2, "big") + value


def photoshop(records: bytes) -> bytes:
    """The segment APP13 of a JPEG, as Photoshop writes it: one resource, IPTC's."""
    body = records + b"\0" * (len(records) % 2)
    block = b"8BIM\x04\x04\0\0" + len(records).to_bytes(4, "big") + body
    segment = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment


def written(file_format: str, *, segment: bytes = b"", **options: object) -> bytes:
    file = io.BytesIO()
    image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(file, file_format, **options)
    data = file.getvalue()
    return data[:2] + segment + data[2:] if segment else data


def test_xmp_of_every_format() -> None:
    wanted = Caption(("Tour Eiffel", "Été & sun"), "The tower", "Ann")
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF"):
        if file_format == "PNG":
            from PIL.PngImagePlugin import PngInfo

            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", XMP)
            data = written("PNG", pnginfo=text)
        elif file_format == "TIFF":
            data = written("TIFF", tiffinfo={700: XMP.encode()})
        else:
            data = written(file_format, xmp=XMP.encode())
        assert decode(data).caption == wanted, file_format


def test_iptc_and_the_artist_of_exif(tmp_path: Path) -> None:
    words = record(25, "café".encode("latin-1")) + record(25, b"Paris") + record(5, b"A walk")
    caption = decode(written("JPEG", segment=photoshop(words))).caption
    assert caption == Caption(("café", "Paris"), "A walk")
    coded = record(90, b"\x1b%G", of=1) + record(25, "Łódź".encode()) + record(80, b"Bob")
    assert decode(written("JPEG", segment=photoshop(coded))).caption == Caption(
        ("Łódź",), None, "Bob"
    )
    # Pillow reads the same records, by a parser of its own.
    from PIL import IptcImagePlugin

    (tmp_path / "x.jpg").write_bytes(written("JPEG", segment=photoshop(words)))
    with image.open(tmp_path / "x.jpg") as file:
        theirs = IptcImagePlugin.getiptcinfo(file)
    assert theirs is not None and theirs[2, 25] == ["café".encode("latin-1"), b"Paris"]
    exif = image.Exif()
    exif[0x013B] = "Carol\0"
    assert decode(written("JPEG", exif=exif)).caption == Caption(user="Carol")
    # XMP first, each tag once.
    both = written("JPEG", segment=photoshop(record(25, b"TOUR EIFFEL") + words), xmp=XMP.encode())
    assert decode(both).caption.tags == ("Tour Eiffel", "Été & sun", "café", "Paris")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<",
        b"\xff\xfe<x/>",
        "<x/>".encode("utf-16"),
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + XMP.encode(),
        XMP.replace("Ann", "&a;").encode(),
        XMP.encode() + b" " * (1 << 20),
        b"<a>" * 50_000,
        None,
        7,
    ],
)
def test_nonsense_counts_as_absent(packet: object) -> None:
    assert caption_of({"xmp": packet}, {}) == Caption()


@pytest.mark.parametrize(
    "records", [b"", b"\x1c", b"\x1c\2\x19\xff\xff" + b"a" * 9, b"junk" * 9, b"\x1c\2\x19\0\5", 3]
)
def test_nonsense_of_iptc_counts_as_absent(records: object) -> None:
    assert caption_of({"photoshop": {0x0404: records}}, None) == Caption()
    assert caption_of({"photoshop": records}, {}) == Caption()


def test_words_are_one_line_that_may_be_shown() -> None:
    assert as_words(" a\tb\n\x1b[31m c\u202e \0hidden") == "a b [31m c"
    assert as_words(None) == as_words(b"bytes") == as_words(3) == ""
    assert len(as_words("x" * 999)) == 200
    many = "".join(f"<rdf:li>tag {n}</rdf:li>" for n in range(500))
    assert (
        len(caption_of({"xmp": XMP.replace("<rdf:li>Tour Eiffel</rdf:li>", many)}, {}).tags) == 200
    )
