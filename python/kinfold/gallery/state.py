"""What a search reads: one consistent set of parts, as the manifest named them when it was read."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.gallery.fused import Fused
from kinfold.gallery.model import Model
from kinfold.gallery.photos import Photo
from kinfold.gallery.segment import Segment
from kinfold.gallery.store import Manifest, Store
from kinfold.graph.knn import KNNGraph
from kinfold.index.flat import FlatIndex
from kinfold.io import kin

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


def read_fused(store: Store, manifest: Manifest, model: Model) -> Fused:
    """Index and inverted files of the manifest. Raises KeyError where it names no such part."""
    index = None
    if len(model.lists) < len(model.engines):
        index = expect(FlatIndex, store.part(manifest.parts["index"]))
    lists = {
        name: expect(engine.lists, store.part(manifest.parts[name]))
        for name, engine in model.lists.items()
    }
    for name, held in lists.items():
        if not np.array_equal(
            held.ids, next(iter(lists.values())).ids if index is None else index.ids
        ):
            raise FileFormatError(f"{store.folder}: {name} holds other photos than the rest")
    return Fused(model, index, lists)


class State:
    """The parts that a search needs, read once."""

    def __init__(self, store: Store) -> None:
        for attempt in range(3):
            self.manifest: Manifest = store.read()
            if "graph" not in self.manifest.parts:
                raise GalleryError(f"{store.folder}: holds no photos yet")
            try:
                self.model = read_model(store.part(self.manifest.parts["model"]))
                self.fused = read_fused(store, self.manifest, self.model)
                self.graph = expect(KNNGraph, store.part(self.manifest.parts["graph"]))
                break
            except KeyError as error:
                raise FileFormatError(f"{store.folder}: the part {error} is missing") from None
            except FileNotFoundError as error:
                # A writer replaced the manifest and swept: what it names now is there.
                if attempt == 2:
                    raise FileFormatError(f"{error.filename}: is missing") from None
        if len(self.graph) != len(self.fused):
            raise FileFormatError(
                f"{store.folder}: graph and index hold different numbers of photos"
            )
        self.ids = self.fused.ids


def expect(cls: Any, path: Path) -> Any:
    """The object of that class in a file."""
    found = kin.load(path)
    if not isinstance(found, cls):
        raise FileFormatError(f"{path}: expected a {cls.kind}, got {type(found).__name__}")
    return found
