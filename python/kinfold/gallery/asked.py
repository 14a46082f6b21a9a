"""What a gallery is asked with: a photo of its own by id or name, or one from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.gallery.hit import Hit
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.reader import ids_of


def source_of(query: Any, table: PhotoTable, root: Path) -> Any:
    """What is to be decoded: the file of a photo of the gallery, or what was given.

    query : an id, a hit, a name as ground truths have them (where no such file is there), or anything else, which stays
    Raises ValueError for an id that no photo has, GalleryError for a name that several have.
    """
    if isinstance(query, Hit):
        return query.file
    if isinstance(query, (int, np.integer)) and not isinstance(query, bool):
        photo = table.by_ids([int(query)]).get(int(query))
        if photo is None:
            raise ValueError(f"query: expected the id of a photo of the gallery, got {query}")
        return root / photo.path
    if isinstance(query, (str, os.PathLike)) and not _is_there(query):
        (id,) = ids_of(table, root, [os.fspath(query)])
        if id is not None:
            return root / table.by_ids([id])[id].path
    return query


def _is_there(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
