"""Photos of a gallery that are the same photo: by their files' content, or by all that was found in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.photo import Photo
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.segments import Segments


def first_photos(photos: Sequence[Photo], segments: Segments) -> Ids:
    """The position of the first copy of each photo, int64 (n,): its own where there is none before it.

    Copies have the same digest, or the same local features, at least one, and the same descriptors of networks: another
    file of the same pixels.
    """
    first = np.arange(len(photos))
    by_digest: dict[str, int] = {}
    alike: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for at, photo in enumerate(photos):
        if photo.digest is not None:
            first[at] = by_digest.setdefault(photo.digest, at)
            if first[at] != at:
                continue
        segment, row = segments.get(photo.segment or ""), photo.row or 0
        key = _key(segment, row)
        if key is None:
            continue
        for other in alike[key]:
            theirs = segments.get(photos[other].segment or ""), photos[other].row or 0
            if _same(segment, row, *theirs):
                first[at] = other
                break
        else:
            alike[key].append(at)
    # A digest may lead to a photo that has a copy of its own before it.
    return first[first]


def _key(segment: PhotoSegment, row: int) -> tuple[object, ...] | None:
    """What tells photos apart at a glance; None for one without features."""
    start, end = (int(bound) for bound in segment.starts[row : row + 2])
    if row >= len(segment) or start == end:
        return None
    held = segment.features(row).select(slice(0, 1))
    return end - start, segment.frames[row].tobytes(), *(part.tobytes() for part in _arrays(held))


def _same(a: PhotoSegment, row: int, b: PhotoSegment, other: int) -> bool:
    found = zip(_arrays(a.features(row)), _arrays(b.features(other)))
    networks = zip(a.networks, b.networks)
    return all(np.array_equal(x, y) for x, y in found) and all(
        np.array_equal(x[row], y[other]) for x, y in networks
    )


def _arrays(features: LocalFeatures) -> list[np.ndarray]:
    parts = [features.positions, features.scales, features.angles, features.descriptors]
    return parts if features.colours is None else [*parts, features.colours]
