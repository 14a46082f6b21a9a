"""From described photos to model, index and graph, and to the manifest that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from kinfold.gallery.describe import Seconds
from kinfold.gallery.model import Model
from kinfold.gallery.photos import Photo
from kinfold.gallery.segment import Segment
from kinfold.gallery.state import read_model, read_segment
from kinfold.gallery.store import Manifest, Store
from kinfold.graph.knn import KNNGraph
from kinfold.index.flat import FlatIndex
from kinfold.io import kin

# A model is learnt anew where the collection has grown to this many times what it was learnt on.
GROWTH = 1.5


def finish(
    store: Store,
    manifest: Manifest,
    photos: Sequence[Photo],
    fingerprint: Callable[[], str],
    seconds: Seconds,
    *,
    relearn: bool,
) -> tuple[Manifest, bool]:
    """Bring model, index and graph in line with the photos; the manifest is replaced last.

    Returns the manifest, and whether the model was learnt (anew). Nothing is written where nothing changed.
    """
    model, index = None, None
    if "model" in manifest.parts:
        model = read_model(store.part(manifest.parts["model"]))
    old = manifest
    learn = relearn or model is None
    if model is not None and manifest.own_model:
        learn = learn or len(photos) >= GROWTH * model.photos
    if model is None or learn:
        with seconds.of("learn"):
            held = _segments(store, photos)
            model = Model.learn(held, manifest.settings, fingerprint(), len(photos))
            manifest = replace(_saved(store, manifest, "model", model), own_model=True)
    elif "index" in manifest.parts:
        index = kin.load(store.part(manifest.parts["index"]))
    with seconds.of("index"):
        index, changed = _indexed(store, model, index, photos)
    if changed or "graph" not in manifest.parts:
        with seconds.of("write"):
            manifest = _saved(store, manifest, "index", index)
        with seconds.of("graph"):
            graph = KNNGraph.build(index.reconstruct(index.ids), manifest.settings.neighbours)
            manifest = _saved(store, manifest, "graph", graph)
    names = tuple(sorted({photo.segment for photo in photos if photo.segment}))
    manifest = replace(manifest, segments=names)
    if manifest != old:
        store.write(manifest)
    return manifest, learn


def _indexed(
    store: Store, model: Model, index: FlatIndex | None, photos: Sequence[Photo]
) -> tuple[FlatIndex, bool]:
    """The index over these photos, and whether anything had to be changed for that."""
    wanted = np.array([photo.id for photo in photos], np.int64)
    present = np.empty(0, np.int64) if index is None else np.asarray(index.ids)
    new = set(np.setdiff1d(wanted, present).tolist())
    gone = np.setdiff1d(present, wanted)
    parts = [
        (segment.ids, model.vectors(segment))
        for segment in _segments(store, [photo for photo in photos if photo.id in new])
    ]
    if index is None:
        index = FlatIndex(parts[0][1].shape[1], metric="ip")
    if len(gone):
        index.remove(gone)
    for ids, vectors in parts:
        index.add(vectors, ids=ids)
    return index, bool(len(gone) or parts)


def _segments(store: Store, photos: Sequence[Photo]) -> list[Segment]:
    """The segments that hold these photos, cut to them, by id. Mapped: memory holds what is being read."""
    rows: dict[str, set[int]] = {}
    for photo in photos:
        rows.setdefault(photo.segment or "", set()).add(photo.id)
    held = []
    for name, ids in rows.items():
        segment = read_segment(store.segment(name))
        held.append(segment.select(np.isin(segment.ids, list(ids))))
    return held


def _saved(
    store: Store, manifest: Manifest, name: str, part: Model | FlatIndex | KNNGraph
) -> Manifest:
    def write(path: object) -> None:
        kin.write(path, part.kind, part.params(), part.arrays())  # type: ignore[arg-type]

    return manifest.with_parts(**{name: store.add("parts", ".kin", write, label=f"{name}-")})
