"""One file that a gallery has seen, and the row of the table that tells of it."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.gallery.own import is_inside, is_name
from kinfold.images.digest import content_digest

MOST_ID = 1 << 60
# Why a photo could not be described: see ``ImageError``.
CAUSES = ("file", "access", "decoder", "memory")
_TEXTS = {str, type(None)}


class DamagedTableError(FileFormatError):
    """The table is not what was written: it is made anew from the photos."""


@dataclass(frozen=True, repr=False)
class Photo:
    """One file.

    path : in the folder of photos, or the whole path of a photo in another folder of the gallery
    reason : why it could not be read; None for a photo that was described
    segment, row : where its features lie; None for one that could not be read
    cause : one of CAUSES where it could not be read, None where that was not noted
    tags : one a line; with title and user, what is written in the file
    """

    id: int
    path: str
    size: int
    mtime_ns: int
    digest: str | None = None
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None
    segment: str | None = None
    row: int | None = None
    cause: str | None = None
    tags: str | None = None
    title: str | None = None
    user: str | None = None

    def __repr__(self) -> str:
        size = f"{self.width} x {self.height}" if self.width else f"unreadable: {self.reason}"
        return f"Photo({self.id}, {self.path!r}, {size})"

    @property
    def position(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees, where both are known and on Earth."""
        latitude, longitude = self.latitude, self.longitude
        if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
            return None
        return latitude, longitude

    @classmethod
    def from_row(
        cls, row: tuple[Any, ...], table: Path, is_ours: Callable[[str], bool] = lambda _: False
    ) -> Photo:
        """From a row of a table, every column of which is what was written there. Raises DamagedTableError.

        is_ours : whether a whole path lies in one of the gallery's other folders
        """
        photo = cls(*row)
        if not _is_sound(photo, is_ours):
            raise DamagedTableError(f"{table}: the row of photo {photo.id!r:.40} is damaged")
        return photo

    def to_row(self) -> tuple[Any, ...]:
        """Its columns."""
        return tuple(vars(self).values())


# The table's columns, and the version of it since which there are those that came later.
COLUMNS = tuple(Photo.__dataclass_fields__)
SINCE = {"cause": 2, "tags": 3, "title": 3, "user": 3}


def known_file(root: Path, photo: Photo) -> Path | None:
    """A photo's file, if it is the one that was described; None if it is gone or holds anything else.

    The folder is the gallery's word, and a gallery may come from anybody: what it does not know is not shown.
    """
    path = root / photo.path
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size == photo.size:
            return path if content_digest(path) == photo.digest else None
    except (OSError, ValueError):
        pass
    return None


def _is_sound(photo: Photo, is_ours: Callable[[str], bool]) -> bool:
    if photo.segment is not None:
        sound = photo.reason is None and is_name(photo.segment) and _is_count(photo.row)
        sound = sound and _is_count(photo.width, 1) and _is_count(photo.height, 1)
    else:
        sound = type(photo.reason) is str and photo.row is None
    return (
        sound
        and _is_count(photo.id, 1, MOST_ID)
        and (is_inside(photo.path) or (type(photo.path) is str and is_ours(photo.path)))
        and _is_count(photo.size)
        and type(photo.mtime_ns) is int
        and _TEXTS.issuperset(
            map(
                type, (photo.digest, photo.taken, photo.camera, photo.tags, photo.title, photo.user)
            )
        )
        and _is_finite(photo.latitude)
        and _is_finite(photo.longitude)
        and (photo.cause is None or photo.cause in CAUSES)
    )


def _is_finite(value: object) -> bool:
    return value is None or (type(value) is float and math.isfinite(value))


def _is_count(value: object, least: int = 0, most: int = 1 << 62) -> bool:
    return type(value) is int and least <= value <= most
