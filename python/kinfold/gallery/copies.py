"""Photos of a gallery that are the same photo: by their files' content, or by all that was found in them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.photo import Photo
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.segments import Segments


class Copies(NamedTuple):
    """What is known of photos' copies.

    first : int64 (n,), the position of the first copy of each photo: its own where there is none before it
    keys : uint64 (n,), what tells photos apart at a glance; 0 where nothing was found in one
    """

    first: Ids
    keys: NDArray[np.uint64]


def first_photos(photos: Sequence[Photo], segments: Segments) -> Ids:
    """The position of the first copy of each photo, int64 (n,); see ``copies_of``."""
    return copies_of(photos, segments).first


def copies_of(photos: Sequence[Photo], segments: Segments, known: Copies | None = None) -> Copies:
    """Which photos are copies of others before them.

    Copies have the same digest, or the same local features, at least one, and the same descriptors of networks: another
    file of the same pixels.

    known : of the first of these photos; their segments are read only where a new photo may be a copy
    """
    done = 0 if known is None else len(known.first)
    first, keys = np.arange(len(photos)), np.zeros(len(photos), np.uint64)
    by_digest: dict[str, int] = {}
    alike: defaultdict[int, list[int]] = defaultdict(list)
    if known is not None:
        first[:done], keys[:done] = known
    for at, photo in enumerate(photos):
        if photo.digest is not None:
            same = by_digest.setdefault(photo.digest, at)
            if at >= done:
                first[at] = same
        if at >= done and first[at] == at:
            segment, row = segments.get(photo.segment or ""), photo.row or 0
            keys[at] = _key(segment, row)
            for other in alike[int(keys[at])] if keys[at] else ():
                theirs = segments.get(photos[other].segment or ""), photos[other].row or 0
                if _same(segment, row, *theirs):
                    first[at] = other
                    break
        if keys[at] and first[at] == at:
            alike[int(keys[at])].append(at)
    # A digest may lead to a photo that has a copy of its own before it.
    return Copies(first[first], keys)


def _key(segment: PhotoSegment, row: int) -> int:
    """What tells photos apart at a glance; 0 for one without features."""
    start, end = (int(bound) for bound in segment.starts[row : row + 2])
    if row >= len(segment) or start == end:
        return 0
    held = segment.features(row).select(slice(0, 1))
    parts = [segment.frames[row].tobytes(), *(part.tobytes() for part in _arrays(held))]
    text = b"".join([(end - start).to_bytes(8, "little"), *parts])
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") | 1


def _same(a: PhotoSegment, row: int, b: PhotoSegment, other: int) -> bool:
    found = zip(_arrays(a.features(row)), _arrays(b.features(other)))
    networks = zip(a.networks, b.networks)
    return all(np.array_equal(x, y) for x, y in found) and all(
        np.array_equal(x[row], y[other]) for x, y in networks
    )


def _arrays(features: LocalFeatures) -> list[np.ndarray]:
    parts = [features.positions, features.scales, features.angles, features.descriptors]
    return parts if features.colours is None else [*parts, features.colours]
