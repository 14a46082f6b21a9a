"""The parts of a gallery that searches read: model, index, inverted files, graph, all of one manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.added import Added
from kinfold.gallery.along import Along
from kinfold.gallery.confidence import Confidence
from kinfold.gallery.fused import Fused, searched_rows
from kinfold.gallery.manifest import SEARCHES, Manifest
from kinfold.gallery.mapped import MappedVectors
from kinfold.gallery.model import Model
from kinfold.gallery.near import Near
from kinfold.gallery.store import Store
from kinfold.gallery.vector_search import VectorSearch
from kinfold.graph.knn import KNNGraph
from kinfold.graph.reach import suited_alpha
from kinfold.index.flat import FlatIndex
from kinfold.io import kin

# Inverted files of so many bytes or more are mapped: opening reads little, and memory holds what searches look at.
MAPPED_LEAST = 1 << 28


def read_model(path: Path) -> Model:
    """The model in a file."""
    return kin.restore(Model, path, *kin.read(path))


def model_of(store: Store, manifest: Manifest) -> Model:
    """The model of a gallery. Raises KeyError where the manifest names none."""
    path = store.part(manifest.parts["model"])
    model = read_model(path)
    if set(model.engines) != set(manifest.settings.learnt_engines):
        raise FileFormatError(f"{path}: was learnt for other engines")
    return model


def read_fused(
    store: Store, manifest: Manifest, model: Model, *, whole: bool = False, verify: bool = False
) -> Fused:
    """Vectors, the index under them, and inverted files of the manifest. Raises KeyError where it names no such part.

    whole : read the vectors and check them, where an index needs them mapped alone
    verify : every byte of large inverted files too
    """
    nearest = {
        name: _expect(VectorSearch, store.part(manifest.parts[name]))
        for name in SEARCHES
        if name in manifest.parts
    }
    index = None
    if model.has_vectors:
        path = store.part(manifest.parts["index"])
        mapped = "search" in nearest and not whole
        index = MappedVectors(path) if mapped else _expect(FlatIndex, path)
    lists = {
        name: _expect(engine.lists, store.part(manifest.parts[name]), verify=verify)
        for name, engine in model.lists.items()
    }
    for name in manifest.added:
        read_added(store, name).apply(model, index, lists)
    fused = Fused(model, index, lists, nearest)
    for name, kept in lists.items():
        if not np.array_equal(kept.ids, fused.ids):
            raise FileFormatError(f"{store.folder}: {name} holds other photos than the rest")
    for name, searched in nearest.items():
        ids, dim = searched_rows(fused, name)
        same = np.array_equal(np.sort(searched.index.ids), np.sort(ids))
        if not same or searched.index.dim != dim:
            raise FileFormatError(f"{store.folder}: {name} holds other photos than the rest")
    return fused


def read_added(store: Store, name: str) -> Added:
    """What came and went since index and inverted files were written, or a part of it."""
    added: Added = _expect(Added, store.part(name))
    return added


def read_near(store: Store, manifest: Manifest, fused: Fused) -> Near | None:
    """The neighbour lists under the graph; None in a gallery of before there were any."""
    if "near" not in manifest.parts:
        return None
    near: Near = _expect(Near, store.part(manifest.parts["near"]))
    if not np.array_equal(near.ids, fused.ids):
        raise FileFormatError(f"{store.folder}: near and index hold different photos")
    return near


def read_graph(store: Store, manifest: Manifest, fused: Fused) -> KNNGraph:
    """The graph of the photos in the index. Raises KeyError where the manifest names none."""
    graph: KNNGraph = _expect(KNNGraph, store.part(manifest.parts["graph"]))
    if len(graph) != len(fused):
        raise FileFormatError(f"{store.folder}: graph and index hold different numbers of photos")
    return graph


def read_confidence(store: Store, manifest: Manifest) -> Confidence:
    """How sure answers are. Galleries of before have not learnt that."""
    if "confidence" not in manifest.parts:
        return Confidence()
    made: Confidence = _expect(Confidence, store.part(manifest.parts["confidence"]))
    return made


@dataclass(frozen=True)
class Parts:
    """What one manifest names. Node i of the graph is the photo ``ids[i]``."""

    manifest: Manifest
    model: Model
    fused: Fused
    graph: KNNGraph
    confidence: Confidence = field(default_factory=Confidence)
    # Graphs of other lengths and powers, and what suits them: made once.
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def graph_along(self, along: Along) -> KNNGraph:
        """The graph, or one of lists of another length or of another power."""
        k, gamma = along.k or self.graph.k, along.gamma or self.graph.gamma
        if (k, gamma) == (self.graph.k, self.graph.gamma):
            return self.graph
        if (k, gamma) not in self._made:
            self._made[k, gamma] = self.fused.graph(k, self.graph.copies, gamma=gamma)
        graph: KNNGraph = self._made[k, gamma]
        return graph

    def alpha_along(self, along: Along) -> float | None:
        """The share that flows on at each step, where one was chosen."""
        if along.alpha != "auto":
            return along.alpha  # type: ignore[return-value]
        key = "alpha", along.k, along.gamma
        if key not in self._made:
            self._made[key] = suited_alpha(self.graph_along(along))
        alpha: float = self._made[key]
        return alpha

    @property
    def ids(self) -> Ids:
        """The photos in the index, int64 (n,)."""
        return self.fused.ids


def read_parts(store: Store, *, verify: bool = False) -> Parts:
    """The parts of the newest manifest. Raises GalleryError where it has no index yet, FileFormatError for bad ones.

    verify : every byte
    """
    for last in (False, False, True):
        manifest = store.read()
        if "graph" not in manifest.parts:
            raise GalleryError(f"{store.folder}: holds no photos yet")
        try:
            model = model_of(store, manifest)
            fused = read_fused(store, manifest, model, whole=verify, verify=verify)
            graph = read_graph(store, manifest, fused)
            return Parts(manifest, model, fused, graph, read_confidence(store, manifest))
        except KeyError as error:
            raise FileFormatError(f"{store.folder}: the part {error} is missing") from None
        except FileNotFoundError as error:
            # A writer replaced the manifest and swept: what it names now is there.
            if last:
                raise FileFormatError(f"{error.filename or error}: is missing") from None
    raise AssertionError("the last attempt returns or raises")


def _expect(cls: Any, path: Path, *, verify: bool = True) -> Any:
    """The object of that class in a file; of a large one, the header alone is checked unless ``verify``."""
    part = kin.load(path, mmap=not verify and path.stat().st_size >= MAPPED_LEAST)
    if not isinstance(part, cls):
        raise FileFormatError(f"{path}: expected a {cls.kind}, got {type(part).__name__}")
    return part
