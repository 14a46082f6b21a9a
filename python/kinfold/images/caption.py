"""What people wrote into a photo: its tags, its title, and who took it. Nonsense counts as absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

# Of a packet of XMP, of tags, of the characters of each: photos have a hundredth of it.
_MOST_PACKET, _MOST_TAGS, _MOST_TEXT = 1 << 20, 200, 200
_DC = "{http://purl.org/dc/elements/1.1/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
# Photoshop's number for IPTC's records, and of these: coded character set, object name, keywords, by-line.
_IPTC, _CODED, _NAME, _KEYWORDS, _BY_LINE = 0x0404, (1, 90), (2, 5), (2, 25), (2, 80)
_ARTIST = 0x013B


@dataclass(frozen=True)
class Caption:
    """Words from XMP (Dublin Core), IPTC and EXIF; none where they are absent.

    tags : each once, whatever the case of its letters
    title : its name
    user : who took it
    """

    tags: tuple[str, ...] = ()
    title: str | None = None
    user: str | None = None


NOTHING = Caption()


def caption_of(info: Any, exif: Any) -> Caption:
    """The words of a photo.

    info : of a Pillow image
    exif : a Pillow ``Exif``, or anything like a dictionary
    Never raises.
    """
    xmp, iptc = _xmp(info), _iptc(info)
    tags: dict[str, str] = {}
    for tag in (*xmp.get("subject", ()), *iptc.get(_KEYWORDS, ())):
        tags.setdefault(tag.casefold(), tag)
    try:
        artist = [as_words(exif.get(_ARTIST))]
    except Exception:  # a parser of foreign bytes raises anything
        artist = []
    titles = (*xmp.get("title", ()), *iptc.get(_NAME, ()))
    users = (*xmp.get("creator", ()), *iptc.get(_BY_LINE, ()), *artist)
    return Caption(
        tuple(tags.values())[:_MOST_TAGS],
        next(filter(None, titles), None),
        next(filter(None, users), None),
    )


def as_words(value: Any) -> str:
    """Text as it may be shown: one line, without what steers a terminal or a page; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    seen = "".join(c if c.isprintable() else " " for c in value.split("\0")[0])
    return " ".join(seen.split())[:_MOST_TEXT].strip()


def _words(values: Iterable[Any]) -> list[str]:
    return list(filter(None, map(as_words, values)))


def _xmp(info: Any) -> dict[str, list[str]]:
    """The Dublin Core of a packet of XMP: local name -> words, those of the default language first."""
    try:
        packet = next(info[key] for key in ("xmp", "XML:com.adobe.xmp") if info.get(key))
        text = packet if isinstance(packet, str) else bytes(packet).decode("utf-8", "replace")
        # A document type may define entities that grow without end; no packet has one.
        if len(text) > _MOST_PACKET or "<!DOCTYPE" in text or "<!ENTITY" in text:
            return {}
        root = ElementTree.fromstring(text.strip("\0\ufeff \r\n\t"))
        found: dict[str, list[str]] = {}
        for name in ("subject", "title", "creator"):
            items = [item for part in root.iter(_DC + name) for item in part.iter(_RDF + "li")]
            found[name] = _words(item.text for item in items)
        return found
    except Exception:  # a parser of foreign bytes raises anything
        return {}


def _iptc(info: Any) -> dict[tuple[int, int], list[str]]:
    """IPTC's records of a JPEG: record and data set -> words."""
    try:
        data = bytes(info["photoshop"][_IPTC])
        records = list(_records(data))
        coded = any(key == _CODED and value == b"\x1b%G" for key, value in records)
        found: dict[tuple[int, int], list[str]] = {}
        for key, value in records:
            found.setdefault(key, []).extend(_words([_decoded(value, coded)]))
        return found
    except Exception:  # there is none, or none that can be read
        return {}


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """IIM's data sets: a mark, record and number, a length, the value; up to what is none."""
    at = 0
    while at + 5 <= len(data) and data[at] == 0x1C:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if length > 0x7FFF:  # longer than any word
            return
        yield (data[at + 1], data[at + 2]), data[at + 5 : at + 5 + length]
        at += 5 + length


def _decoded(value: bytes, coded: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if coded else "latin-1", "replace")
