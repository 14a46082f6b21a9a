"""What a search reads: one consistent set of parts, as the manifest named them when it was read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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
# Bytes that an update reads to see whether segments are sound: a second's work.
_READ_WHOLE = 1 << 28


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
        segment, row = self._row(photo)
        features = segment.features(row)
        numbers = (features.positions, features.scales, features.angles)
        if not all(np.isfinite(held).all() for held in numbers) or (features.scales <= 0).any():
            raise FileFormatError(f"{photo.segment}: the features of photo {photo.id} are damaged")
        return features

    def frame(self, photo: Photo) -> tuple[int, int, int, int]:
        """Width and height of a photo, and of the pixels that its features lie in."""
        segment, row = self._row(photo)
        a, b, c, d = (int(side) for side in segment.frames[row])
        return a, b, c, d

    def _row(self, photo: Photo) -> tuple[Segment, int]:
        segment = self.get(photo.segment or "")
        if not segment.holds(photo.id, photo.row):
            raise FileFormatError(f"{photo.segment}: does not hold photo {photo.id}")
        return segment, photo.row or 0


def read_segment(path: Path, *, verify: bool = False) -> Segment:
    """A segment, mapped; or read and checked."""
    try:
        kind, params, arrays = kin.read(path, mmap=not verify, verify=verify)
    except FileNotFoundError:
        raise GalleryError(
            f"{path}: is gone; open the gallery again if it was changed meanwhile, else kinfold index mends it"
        ) from None
    return kin.restore(Segment, path, kind, params, arrays)


def damaged_segments(store: Store, photos: Iterable[Photo], *, verify: bool) -> set[str]:
    """The segments that do not hold their photos.

    verify : read every byte; otherwise only as far as all segments together are small enough for that
    """
    members: dict[str, list[Photo]] = {}
    for photo in photos:
        if photo.segment is not None:
            members.setdefault(photo.segment, []).append(photo)
    paths = {name: store.segment(name) for name in members}
    size = sum(path.stat().st_size for path in paths.values() if path.exists())
    damaged = set()
    for name, path in paths.items():
        try:
            segment = read_segment(path, verify=verify or size <= _READ_WHOLE)
            if not all(segment.holds(photo.id, photo.row) for photo in members[name]):
                damaged.add(name)
        except (FileFormatError, GalleryError):
            damaged.add(name)
    return damaged


def read_model(path: Path) -> Model:
    """The model in a file."""
    return kin.restore(Model, path, *kin.read(path))


def model_of(store: Store, manifest: Manifest) -> Model:
    """The model of a gallery. Raises KeyError where the manifest names none."""
    path = store.part(manifest.parts["model"])
    model = read_model(path)
    if set(model.engines) != set(manifest.settings.engines):
        raise FileFormatError(f"{path}: was learnt for other engines")
    return model


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


def read_graph(store: Store, manifest: Manifest, fused: Fused) -> KNNGraph:
    """The graph of the photos in the index. Raises KeyError where the manifest names none."""
    graph: KNNGraph = expect(KNNGraph, store.part(manifest.parts["graph"]))
    if len(graph) != len(fused):
        raise FileFormatError(f"{store.folder}: graph and index hold different numbers of photos")
    return graph


class State:
    """The parts that a search needs, read once."""

    def __init__(self, store: Store) -> None:
        for attempt in range(3):
            self.manifest: Manifest = store.read()
            if "graph" not in self.manifest.parts:
                raise GalleryError(f"{store.folder}: holds no photos yet")
            try:
                self.model = model_of(store, self.manifest)
                self.fused = read_fused(store, self.manifest, self.model)
                self.graph = read_graph(store, self.manifest, self.fused)
                break
            except KeyError as error:
                raise FileFormatError(f"{store.folder}: the part {error} is missing") from None
            except FileNotFoundError as error:
                # A writer replaced the manifest and swept: what it names now is there.
                if attempt == 2:
                    raise FileFormatError(f"{error.filename or error}: is missing") from None
        self.ids = self.fused.ids


def expect(cls: Any, path: Path) -> Any:
    """The object of that class in a file."""
    found = kin.load(path)
    if not isinstance(found, cls):
        raise FileFormatError(f"{path}: expected a {cls.kind}, got {type(found).__name__}")
    return found
