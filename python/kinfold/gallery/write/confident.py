"""What a gallery's own photos tell of how sure answers are: pairs of neighbours, and pairs drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.random import generator
from kinfold.base.threads import in_threads
from kinfold.gallery.confidence import Confidence
from kinfold.gallery.fused import Fused
from kinfold.gallery.photo import Photo
from kinfold.gallery.query import Query
from kinfold.gallery.segments import Segments
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many

# Photos that are asked with, and others that each is compared with: the nearest, and some of those far from it.
_ASKED, _NEAR, _FAR = 32, 12, 6
# A smaller collection tells nothing.
_LEAST_PHOTOS = 4


def learn_confidence(
    fused: Fused, photos: Sequence[Photo], first: Ids, segments: Segments, seed: int
) -> Confidence:
    """How sure answers of a gallery are.

    photos : in the order of ``fused.ids``
    first : int64 (n,), the position of the first copy of each photo: copies are no evidence
    """
    rows = np.unique(first)
    if len(rows) < _LEAST_PHOTOS:
        return Confidence(photos=len(photos))
    random = generator(seed)
    asked = np.sort(random.choice(rows, min(_ASKED, len(rows)), replace=False))
    scan = Fused(fused.model, fused.index, fused.lists)
    place = {int(id): row for row, id in enumerate(fused.ids)}
    kept = set(rows.tolist())
    seeds = random.integers(0, 1 << 31, len(asked))

    def look(each: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        row, own = int(each[0]), generator(int(each[1]))
        nothing = np.empty(0), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
        query = _as_query(photos[row], fused, segments)
        if query is None:
            return nothing
        found = scan.search(query, len(scan))
        at = np.array([place[id] for id in found.ids.tolist()])
        others = np.array([a != row and a in kept for a in at.tolist()])
        at, similarities = at[others], found.distances[others]
        beyond = np.arange(max(min(_NEAR, len(at)), len(at) // 4), len(at))
        far = own.choice(beyond, min(_FAR, len(beyond)), replace=False)
        looked, theirs = [], []
        for where in [*range(min(_NEAR, len(at))), *far.tolist()]:
            features = _sound(photos[int(at[where])], segments)
            if features is not None:
                looked.append(where)
                theirs.append(features)
        pairs = match_many(prepare(query.features), theirs)
        verified = verify_many(query.features, theirs, pairs)
        counts, places = (
            np.array([one.inliers for one in verified], np.int64),
            np.array(looked, int),
        )
        near = places < _NEAR
        return similarities, counts[~near], similarities[places[near]], counts[near]

    looks = in_threads(look, zip(asked.tolist(), seeds.tolist()))
    unlike, by_chance, near, inliers = (np.concatenate(parts) for parts in zip(*looks))
    if not len(unlike):
        return Confidence(photos=len(photos))
    return Confidence.learn(unlike, by_chance, near, inliers, photos=len(photos))


def _sound(photo: Photo, segments: Segments) -> LocalFeatures | None:
    """The local features of a photo; None for damaged ones, which searches refuse."""
    try:
        return segments.features(photo)
    except FileFormatError:
        return None


def _as_query(photo: Photo, fused: Fused, segments: Segments) -> Query | None:
    """A photo of the gallery as it would be asked with; None for a damaged one."""
    features = _sound(photo, segments)
    if features is None:
        return None
    vector = None if fused.index is None else fused.index.reconstruct(np.array([photo.id]))[0]
    regions = {0: segments.regions(photo)} if "regions" in fused.lists else {}
    size = photo.width or 1, photo.height or 1
    pixels = np.zeros((1, 1, 3), np.uint8)
    return Query(photo.path, pixels, size, None, features, np.eye(3), vector, regions=regions)
