"""Which photos of a gallery may answer: by folder, by date, or by their ids."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import Ids, as_array, as_ids

if TYPE_CHECKING:
    from kinfold.gallery.photos import PhotoTable

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?")
# Behind whatever a date goes on with.
_END = "\uffff"

Folders = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True)
class PhotoFilter:
    """Photos in some folders, of some time.

    folder : a folder in that of the photos, or its whole path, with all that is below it; several: in any of them
    since, until : the first and the last day of photos that may answer, "2024", "2024-05", "2024-05-01" or to the
        second, or a date; by what photos say of when they were taken. Those that do not say it are none of them
    Raises ValueError for what is no date.

    Examples
    --------
    >>> from kinfold.gallery import PhotoFilter
    >>> PhotoFilter(folder="holidays", since="2019", until="2020-06")
    PhotoFilter(folder='holidays', since='2019', until='2020-06')
    """

    folder: Folders | None = None
    since: str | date | None = None
    until: str | date | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            _moment(getattr(self, name), name)
        _folders(self.folder)

    def ids(self, table: PhotoTable, root: Path) -> Ids:
        """The ids of its photos, ascending. Raises ValueError for a folder that holds no photo of the gallery."""
        since, until = _moment(self.since, "since"), _moment(self.until, "until")
        found = []
        for folder in _folders(self.folder):
            ways = [_inside(folder, root)]
            if folder:  # in another folder of the gallery, whose photos have whole paths
                ways.append(f"{Path(folder).resolve().as_posix()}/")
            inside = next((way for way in ways if not way or len(table.ids_of(way))), None)
            if inside is None:
                raise ValueError(
                    f"folder: expected one that holds photos of the gallery, got {os.fspath(folder)!r}"
                )
            found.append(table.ids_of(inside, since, None if until is None else until + _END))
        return np.unique(np.concatenate(found))


def admitted(filter: Any, table: PhotoTable, root: Path) -> Ids | None:
    """The ids that a search's ``filter`` admits, ascending; None where it is None: all.

    filter : a ``PhotoFilter``; ids (unknown ones are ignored); or a boolean mask over the described photos, by id
    """
    if filter is None:
        return None
    if isinstance(filter, PhotoFilter):
        return filter.ids(table, root)
    array = as_array(filter, "filter") if np.size(filter) else np.empty(0, np.int64)
    if array.dtype.kind != "b":
        return np.unique(as_ids(array, "filter"))
    every = table.ids_of("")
    if array.shape != every.shape:
        raise ValueError(
            f"filter: expected a mask of {len(every)} photos, ids or a PhotoFilter, got shape {array.shape}"
        )
    return every[array.view(np.bool_)]


def _folders(given: Folders | None) -> list[str | os.PathLike[str]]:
    """One or several; "" for all."""
    if given is None:
        return [""]
    if isinstance(given, (str, os.PathLike)):
        return [given]
    folders = list(given) if isinstance(given, Iterable) else []
    if not folders or not all(isinstance(folder, (str, os.PathLike)) for folder in folders):
        raise ValueError(f"folder: expected a folder or several, got {given!r}")
    return folders


def _inside(folder: str | os.PathLike[str], root: Path) -> str:
    """A folder as its photos' paths begin."""
    plain = os.path.normpath(os.fspath(folder) or ".")
    if os.path.isabs(plain):
        for base in (root, root.resolve()):
            if Path(plain).is_relative_to(base):
                plain = str(Path(plain).relative_to(base))
                break
    return "" if plain == "." else f"{Path(plain).as_posix()}/"


def _moment(value: str | date | None, name: str) -> str | None:
    """As ``Photo.taken`` is spelt, or its beginning."""
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ValueError(
            f"{name}: expected a date such as 2024, 2024-05 or 2024-05-01, got {value!r}"
        )
    return text.replace(" ", "T")
