"""The descriptors of a gallery's photos as networks gave them."""

from __future__ import annotations

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.errors import GalleryError
from kinfold.gallery.reader import Snapshot


def descriptors_of(snapshot: Snapshot, network: int) -> tuple[Ids, Vectors]:
    """Ids int64 (n,), ascending, and descriptors float32 (n, d); see ``Gallery.descriptors``."""
    which = as_count(network, "network", least=0)
    ids, parts = [], []
    for photo in sorted(snapshot.table.described(), key=lambda photo: photo.id):
        segment = snapshot.segments.get(photo.segment or "")
        if which >= len(segment.networks):
            raise GalleryError(
                f"{snapshot.store.folder}: holds descriptors of {len(segment.networks)} networks, not of "
                f"{which + 1}: index the photos with --weights FILE"
            )
        if not segment.holds(photo.id, photo.row):
            raise GalleryError(
                f"{snapshot.store.folder}: {photo.segment} does not hold {photo.path}"
            )
        ids.append(photo.id)
        parts.append(segment.networks[which][photo.row])
    return np.array(ids, np.int64), np.stack(parts)
