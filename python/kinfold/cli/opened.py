"""Galleries as commands name them; where there is none, a word on what may be meant."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kinfold.base.errors import GalleryError

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery


def is_gallery(path: Path) -> bool:
    """Whether a folder is a gallery."""
    return (path / "MANIFEST.json").is_file() and (path / "photos.sqlite").is_file()


def opened(path: str, query: str | None = None) -> Gallery:
    """The gallery at a path. Raises GalleryError, with a hint where one is at hand.

    query : what the command was given besides, which may be the gallery
    """
    from kinfold.gallery import Gallery

    try:
        return Gallery.open(path)
    except GalleryError as error:
        hint = None if is_gallery(Path(path)) else _hint(Path(path), query)
        if hint is None:
            raise
        raise GalleryError(f"{error}; {hint}") from None


def _hint(path: Path, query: str | None) -> str | None:
    if query is not None and is_gallery(Path(query)):
        return f"{query} is one: the gallery comes first, then the photo"
    # The name that a gallery of this folder gets by itself, here or beside it.
    for near in (
        Path(f"{path.resolve().name}.kin"),
        path.with_name(f"{path.name}.kin") if path.name else path,
    ):
        if is_gallery(near):
            return f"did you mean {shlex.quote(str(near))}?"
    if path.is_dir():
        return f"to make one of its photos: kinfold index {shlex.quote(str(path))}"
    return None
