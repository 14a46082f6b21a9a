"""The segments of a gallery by name: mapped, checked against the table of photos, a few kept open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.gallery.photo import Photo
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.store import Store
from kinfold.io import kin

# Segments that are held open: mapped, so that they cost little memory.
_OPEN = 256
# Bytes that an update reads to see whether segments are sound: a second's work.
_READ_WHOLE = 1 << 28


class Segments:
    """Segments by name, memory-mapped; the last few stay open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: OrderedDict[str, PhotoSegment] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> PhotoSegment:
        """One segment. Raises FileFormatError for a bad one, GalleryError for one that is gone."""
        with self._lock:
            if name in self._open:
                self._open.move_to_end(name)
                return self._open[name]
        segment = read_segment(self._store.segment(name))
        with self._lock:
            self._open[name] = segment
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return segment

    def features(self, photo: Photo) -> LocalFeatures:
        """The local features of a photo."""
        segment, row = self._row(photo)
        features = segment.features(row)
        numbers = (features.positions, features.scales, features.angles)
        if not all(np.isfinite(part).all() for part in numbers) or (features.scales <= 0).any():
            raise FileFormatError(f"{photo.segment}: the features of photo {photo.id} are damaged")
        return features

    def regions(self, photo: Photo) -> RegionSets:
        """The regions of a photo as the first network described them; FileFormatError where there are none."""
        segment, row = self._row(photo)
        if 0 not in segment.regions:
            raise FileFormatError(f"{photo.segment}: holds no regions of photo {photo.id}")
        return segment.regions[0].photo(row)

    def frame(self, photo: Photo) -> tuple[int, int, int, int]:
        """Width and height of a photo, and of the pixels that its features lie in."""
        segment, row = self._row(photo)
        a, b, c, d = (int(side) for side in segment.frames[row])
        return a, b, c, d

    def _row(self, photo: Photo) -> tuple[PhotoSegment, int]:
        segment = self.get(photo.segment or "")
        if not segment.holds(photo.id, photo.row):
            raise FileFormatError(f"{photo.segment}: does not hold photo {photo.id}")
        return segment, photo.row or 0


def read_segment(path: Path, *, verify: bool = False) -> PhotoSegment:
    """A segment, mapped; or read and checked."""
    try:
        kind, params, arrays = kin.read(path, mmap=not verify, verify=verify)
    except FileNotFoundError:
        raise GalleryError(
            f"{path}: is gone; open the gallery again if it was changed meanwhile, else kinfold index mends it"
        ) from None
    return kin.restore(PhotoSegment, path, kind, params, arrays)


def damaged_segments(store: Store, photos: Iterable[Photo], *, verify: bool) -> set[str]:
    """The segments that do not hold their photos.

    verify : read every byte; otherwise only where all segments together are small enough for that, else their headers
    """
    members: dict[str, list[Photo]] = {}
    for photo in photos:
        if photo.segment is not None:
            members.setdefault(photo.segment, []).append(photo)
    paths = {name: store.segment(name) for name in members}
    size = sum(path.stat().st_size for path in paths.values() if path.exists())
    whole, damaged = verify or size <= _READ_WHOLE, set()
    for name, path in paths.items():
        try:
            if not (_holds if whole else _may_hold)(path, members[name]):
                damaged.add(name)
        except (FileFormatError, GalleryError, FileNotFoundError):
            damaged.add(name)
    return damaged


def _holds(path: Path, photos: Iterable[Photo]) -> bool:
    segment = read_segment(path, verify=True)
    return all(segment.holds(photo.id, photo.row) for photo in photos)


def _may_hold(path: Path, photos: Iterable[Photo]) -> bool:
    """Whether a file is as long as its header says, and has room for these photos: a tenth of what mapping it takes."""
    header = kin.header(path)
    ids = header.tensors.get("ids", ("", (0,), 0, 0))[1]
    return header.kind == PhotoSegment.kind and max(photo.row or 0 for photo in photos) < ids[0]
