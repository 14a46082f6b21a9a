"""A table of what is known of photos beside what their files say: positions, tags, users, titles."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.gallery.names import by_form, listed_path
from kinfold.gallery.photo import Photo
from kinfold.images.caption import as_words

# Found by these names beside the photos, in this order.
BESIDE = ("places.csv", "places.json")
_COLUMNS = {
    "path": "path", "file": "path", "latitude": "latitude", "lat": "latitude", "longitude": "longitude",
    "lon": "longitude", "lng": "longitude", "tags": "tags", "user": "user", "title": "title",
}  # fmt: skip
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Known:
    """What is known of one photo.

    position : latitude and longitude in degrees
    """

    position: tuple[float, float] | None = None
    tags: tuple[str, ...] = ()
    user: str | None = None
    title: str | None = None


class Places:
    """What is known of a gallery's photos: from their files, and before that from a table.

    path : of the table; None where there is none
    strangers : rows of the table that name no photo of the gallery
    """

    def __init__(
        self, path: Path | None, rows: Mapping[str, Known], photos: Iterable[Photo], root: Path
    ) -> None:
        listed = list(photos)
        forms = by_form(photo.path for photo in listed)
        named = [(listed_path(name, forms, root), row) for name, row in rows.items()]
        told = {name: row for name, row in named if name is not None}
        self.path, self.strangers = path, sum(name is None for name, _ in named)
        self._known = {photo.id: _merged(photo, told.get(photo.path)) for photo in listed}

    def __getitem__(self, id: int) -> Known:
        return self._known.get(id, Known())

    def but(self, ids: Collection[int]) -> list[Known]:
        """What is known of all other photos."""
        return [known for id, known in self._known.items() if id not in ids]

    @property
    def with_position(self) -> int:
        """How many photos have a position."""
        return sum(known.position is not None for known in self._known.values())


def places_of(table: str | os.PathLike[str] | None, photos: Iterable[Photo], root: Path) -> Places:
    """What is known of photos.

    table : a file ``*.csv`` or ``*.json``; None for the one that lies beside the photos, if there is one
    Raises FileFormatError that names the row for one that is malformed; OSError where it cannot be read.
    """
    if table is not None:
        path: Path | None = Path(table)
    else:
        # A gallery that knows no folder of photos has the empty path, which is wherever one stands.
        names = BESIDE if root.is_absolute() else ()
        path = next((root / name for name in names if (root / name).is_file()), None)
    return Places(path, {} if path is None else read_table(path), photos, root)


def read_table(path: Path) -> dict[str, Known]:
    """The rows of a table by what they call the photo.

    CSV with a line of names, or JSON, a list of objects. Names: path (or file), latitude (lat), longitude (lon, lng),
    tags (in CSV with ";" between them), user, title; others are passed over. Zeros are no position, as in EXIF.
    Raises FileFormatError.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.stat().st_size > _MOST_BYTES:
        raise FileFormatError(f"{path}: is longer than {_MOST_BYTES:,} bytes")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: is not UTF-8: {error.reason}") from None
    rows = _json(text) if path.suffix.lower() == ".json" else _csv(text)
    known: dict[str, Known] = {}
    try:
        for at, row in rows:
            try:
                name, one = _row(row)
                if name in known:
                    raise ValueError(f"path: {name!r} is there twice")
            except ValueError as error:
                raise ValueError(f"{at}: {error}") from None
            known[name] = one
    except (ValueError, csv.Error, RecursionError) as error:
        raise FileFormatError(f"{path}: {error}") from None
    return known


def _csv(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head = next(reader, [])
    if len(head) == 1 and ";" in head[0]:
        raise ValueError("line 1: expected commas between names, got semicolons")
    names = _names(head, "line 1")
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        at = f"line {reader.line_num}"
        if len(cells) != len(names):
            raise ValueError(f"{at}: expected {len(names)} cells, got {len(cells)}")
        row: dict[str, Any] = {name: cell for name, cell in zip(names, cells) if name}
        row["tags"] = row.get("tags", "").split(";")
        yield at, row


def _json(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError("expected a list of objects")
    for number, item in enumerate(value, 1):
        at = f"row {number}"
        if not isinstance(item, dict):
            raise ValueError(f"{at}: expected an object")
        names = _names(list(item), at)
        yield at, {name: cell for name, cell in zip(names, item.values()) if name}


def _names(given: Iterable[str], at: str) -> list[str | None]:
    """Our names of the columns; None for those that are not ours."""
    names = [_COLUMNS.get(name.strip().lower()) for name in given]
    own = [name for name in names if name]
    if "path" not in own:
        raise ValueError(f"{at}: expected a column named path")
    if len(set(own)) < len(own) or ("latitude" in own) != ("longitude" in own):
        raise ValueError(f"{at}: expected each column once, latitude and longitude together")
    return names


def _row(row: Mapping[str, Any]) -> tuple[str, Known]:
    name, tags = row["path"], row.get("tags") or []
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"path: expected the name of a photo, got {name!r:.80}")
    tags = [tags] if isinstance(tags, str) else tags
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"tags: expected a list of words, got {tags!r:.80}")
    latitude = _degrees(row.get("latitude"), "latitude", 90)
    longitude = _degrees(row.get("longitude"), "longitude", 180)
    if (latitude is None) != (longitude is None):
        raise ValueError("latitude, longitude: expected both or neither")
    position = None if latitude is None or longitude is None else (latitude, longitude)
    words: dict[str, str] = {}
    for tag in filter(None, map(as_words, tags)):
        words.setdefault(tag.casefold(), tag)
    user, title = (as_words(_text(row.get(name), name)) or None for name in ("user", "title"))
    return name, Known(position if position != (0, 0) else None, tuple(words.values()), user, title)


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # users are often numbers
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: expected text, got {value!r:.80}")
    return value


def _degrees(value: Any, name: str, most: float) -> float | None:
    """Degrees; None where there are none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        degrees = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        degrees = math.nan
    if not abs(degrees) <= most:
        raise ValueError(f"{name}: expected degrees from -{most} to {most}, got {value!r:.80}")
    return degrees


def _merged(photo: Photo, told: Known | None) -> Known:
    """What a photo's file says, where the table says nothing."""
    told = told or Known()
    tags = told.tags or tuple((photo.tags or "").split("\n") if photo.tags else ())
    return Known(
        told.position or photo.position, tags, told.user or photo.user, told.title or photo.title
    )
