"""What a gallery is asked with: a photo of its own by id or name, or one from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.errors import GalleryError
from kinfold.gallery.hit import Hit
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.query import Query
from kinfold.gallery.reader import Snapshot, ids_of


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


def query_of_vectors(snapshot: Snapshot, vectors: Mapping[str, Any]) -> Query:
    """A query that was described elsewhere, as the gallery's photos were: by vectors alone.

    vectors : of each engine that gives photos vectors, such as "cnn", what it gives: float32 (d,)
    What engines without vectors would say is not known, and there is nothing for geometry to verify.
    Raises ValueError for other engines or lengths, GalleryError where no engine gives photos vectors.
    """
    model, ids = snapshot.parts.model, snapshot.ids
    if not model.has_vectors:
        raise GalleryError(f"{snapshot.store.folder}: its engines give photos no vectors")
    photo = next(iter(snapshot.by_ids(ids).values()), None)
    if photo is None:
        raise GalleryError(f"{snapshot.store.folder}: has changed; it is to be opened again")
    segment = snapshot.segments.get(photo.segment or "")
    vector = model.joined(vectors, segment.select(np.asarray(segment.ids) == photo.id))
    features = snapshot.segments.features(photo).select(slice(0, 0))
    return Query(
        "vector", np.zeros((0, 0, 3), np.uint8), (0, 0), None, features, np.eye(3), vector, seen=True
    )  # fmt: skip


def _is_there(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
