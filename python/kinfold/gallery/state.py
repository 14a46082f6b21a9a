"""What a search reads: one consistent set of parts, as the manifest named them when it was read."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours
from kinfold.gallery.engines.asmk import comparable
from kinfold.gallery.model import Model
from kinfold.gallery.photos import Photo
from kinfold.gallery.segment import Segment
from kinfold.gallery.store import Manifest, Store
from kinfold.graph.knn import KNNGraph
from kinfold.index.flat import FlatIndex
from kinfold.io import kin
from kinfold.local.asmk import ASMK
from kinfold.local.sift import root_sift

# Segments that are held open: mapped, so that they cost little memory.
_OPEN = 256


class Segments:
    """Segments by name, memory-mapped; the last few stay open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: OrderedDict[str, Segment] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> Segment:
        """One segment. Raises FileFormatError for a bad one, GalleryError for one that is gone."""
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        segment = read_segment(self._store.segment(name))
        with self._lock:
            self._held[name] = segment
            while len(self._held) > _OPEN:
                self._held.popitem(last=False)
        return segment

    def features(self, photo: Photo) -> LocalFeatures:
        """The local features of a photo."""
        segment = self.get(photo.segment or "")
        row = photo.row or 0
        if row >= len(segment) or segment.ids[row] != photo.id:
            raise FileFormatError(f"{photo.segment}: does not hold photo {photo.id}")
        return segment.features(row)

    def frame(self, photo: Photo) -> tuple[int, int, int, int]:
        """Width and height of a photo, and of the pixels that its features lie in."""
        segment = self.get(photo.segment or "")
        a, b, c, d = (int(side) for side in segment.frames[photo.row or 0])
        return a, b, c, d


def read_segment(path: Path, *, verify: bool = False) -> Segment:
    """A segment, mapped; or read and checked."""
    try:
        kind, params, arrays = kin.read(path, mmap=not verify, verify=verify)
    except FileNotFoundError:
        raise GalleryError(
            f"{path}: is gone; the gallery was changed meanwhile, open it again"
        ) from None
    return kin.restore(Segment, path, kind, params, arrays)


def read_model(path: Path) -> Model:
    """The model in a file."""
    return kin.restore(Model, path, *kin.read(path))


class State:
    """The parts that a search needs, read once."""

    def __init__(self, store: Store) -> None:
        for attempt in range(3):
            self.manifest: Manifest = store.read()
            if "index" not in self.manifest.parts:
                raise GalleryError(f"{store.folder}: holds no photos yet")
            parts = {name: store.part(file) for name, file in self.manifest.parts.items()}
            try:
                self.model = read_model(parts["model"])
                self.index = _expect(FlatIndex, parts["index"])
                self.graph = _expect(KNNGraph, parts["graph"])
                self.lists: ASMK | None = None
                if self.model.match_share or "lists" in parts:
                    self.lists = _expect(ASMK, parts["lists"])
                break
            except KeyError as error:
                raise FileFormatError(f"{store.folder}: the part {error} is missing") from None
            except FileNotFoundError as error:
                # A writer replaced the manifest and swept: what it names now is there.
                if attempt == 2:
                    raise FileFormatError(f"{error.filename}: is missing") from None
        if len(self.graph) != len(self.index):
            raise FileFormatError(
                f"{store.folder}: graph and index hold different numbers of photos"
            )
        self.weights = parts.get("weights")
        self.ids = np.asarray(self.index.ids)
        if self.lists is not None and not np.array_equal(self.lists.ids, self.ids):
            raise FileFormatError(f"{store.folder}: lists and index hold different photos")

    def similarities(self, query: Any, depth: int) -> Neighbours:
        """The most similar photos of a described query, by all engines together."""
        if self.lists is None:
            found: Neighbours = self.index.search(query.vector, depth)
            return found
        share = np.float32(self.model.match_share)
        matched = self.lists.scores([root_sift(query.features.descriptors)])[0]
        vectors, ids = self.index.search(query.vector, len(self.ids))
        order = np.argsort(ids, kind="stable")
        by_id = np.argsort(self.ids, kind="stable")
        total = share * comparable(matched)
        total[by_id] += (1 - share) * vectors[order]
        best = np.lexsort((self.ids, -total))[:depth]
        return Neighbours(total[best], self.ids[best])


def _expect(cls: Any, path: Path) -> Any:
    found = kin.load(path)
    if not isinstance(found, cls):
        raise FileFormatError(f"{path}: expected a {cls.kind}, got {type(found).__name__}")
    return found
