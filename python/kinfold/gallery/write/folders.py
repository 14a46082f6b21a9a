"""Which folders an update looks through: those that the gallery knows, and those that are given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from kinfold.base.errors import GalleryError
from kinfold.gallery.manifest import Manifest

Given = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None


def folders_of(
    folder: Path, manifest: Manifest, photos: Given, described: Callable[[], bool]
) -> list[Path]:
    """The first folder, in which paths of photos are, and the others, by their whole paths; of these some may be gone.

    Those that the gallery knows stay, and others join them; one alone that it does not know is where the first is now.
    What lies in another folder is looked through with that.

    folder : the gallery; described : tells whether it holds photos
    Raises FileNotFoundError or NotADirectoryError for what is no folder, ValueError where none is known, GalleryError
    where several are given and none is the gallery's, or one holds the first.
    """
    given = [_there(Path(one)) for one in _several(photos)]
    known = [Path(one) for one in (manifest.photos, *manifest.folders) if one is not None]
    if not given and not known:
        raise ValueError("photos: expected a folder of photos, or several")
    first, *others = known or given
    if not given:
        first = _there(first)
    elif len(given) == 1 and given[0] not in known:
        first = given[0]
    elif not set(given).isdisjoint(known):
        first = _there(first)
        others += given
    elif not described():
        first, others = given[0], given[1:]
    else:
        raise GalleryError(
            f"{folder}: holds the photos of {first}; name that folder too to add others, or choose another gallery"
        )
    others = [one for one in dict.fromkeys(others) if one != first]
    if holder := next((one for one in others if first.is_relative_to(one)), None):
        raise GalleryError(
            f"{holder}: holds {first}, whose photos {folder} has already; choose another gallery"
        )
    # What lies in another is looked through with that.
    return [
        first,
        *(
            one
            for one in others
            if not any(one != other and one.is_relative_to(other) for other in (first, *others))
        ),
    ]


def _several(photos: Given) -> Sequence[str | os.PathLike[str]]:
    if photos is None:
        return []
    if isinstance(photos, (str, os.PathLike)):
        return [photos]
    several = list(photos)
    if not several or not all(isinstance(one, (str, os.PathLike)) for one in several):
        raise ValueError(f"photos: expected a folder or several, got {photos!r}")
    return several


def _there(folder: Path) -> Path:
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: there is no such folder")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is not a folder")
    return folder.resolve()
