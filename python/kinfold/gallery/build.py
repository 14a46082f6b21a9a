"""From described photos to model, index and graph, and to the manifest that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.gallery.describe import Seconds
from kinfold.gallery.engines.asmk import comparable, described
from kinfold.gallery.model import Model
from kinfold.gallery.photos import Photo
from kinfold.gallery.segment import Segment
from kinfold.gallery.state import read_model, read_segment
from kinfold.gallery.store import Manifest, Store
from kinfold.graph.knn import KNNGraph
from kinfold.index.flat import FlatIndex
from kinfold.io import kin
from kinfold.local.asmk import ASMK

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
        with seconds.of("index"):
            lists = _lists(store, manifest, model, photos, np.asarray(index.ids), learn)
        with seconds.of("write"):
            manifest = _saved(store, manifest, "index", index)
            if lists is not None:
                manifest = _saved(store, manifest, "lists", lists)
        with seconds.of("graph"):
            graph = _graph(index, lists, model.match_share, manifest.settings.neighbours)
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


def _lists(
    store: Store,
    manifest: Manifest,
    model: Model,
    photos: Sequence[Photo],
    ids: Ids,
    learnt: bool,
) -> ASMK | None:
    """ASMK's inverted file over the photos, in the order of ``ids``; None where it is not used."""
    lists = model.lists()
    if lists is None:
        return None
    if not learnt and "lists" in manifest.parts:
        lists = kin.load(store.part(manifest.parts["lists"]))
    lists.remove(np.setdiff1d(lists.ids, ids))
    new = set(np.setdiff1d(ids, lists.ids).tolist())
    for segment in _segments(store, [photo for photo in photos if photo.id in new]):
        lists.add(described(segment), ids=segment.ids)
    return lists.ordered(ids)


def _graph(index: FlatIndex, lists: ASMK | None, share: float, neighbours: int) -> KNNGraph:
    """The graph of the most similar photos, by vectors or by all engines."""
    vectors = index.reconstruct(index.ids)
    if lists is None:
        return KNNGraph.build(vectors, neighbours)
    # More candidates of either kind than are kept, so that their sum finds the best of both.
    matched = lists.neighbours(4 * neighbours)
    n = len(vectors)
    ids, values = matched.ids, np.zeros(matched.ids.shape, np.float32)
    there = ids >= 0
    rows = np.repeat(np.arange(n), ids.shape[1]).reshape(ids.shape)[there]
    near = np.einsum("ij,ij->i", vectors[rows], vectors[ids[there]])
    values[there] = share * comparable(matched.distances[there]) + (1 - share) * near
    values[~there] = -np.inf
    order = np.argsort(-values, axis=1, kind="stable")[:, :neighbours]
    return KNNGraph.from_neighbours(
        np.take_along_axis(ids, order, axis=1),
        np.maximum(np.take_along_axis(values, order, axis=1), 0),
        k=neighbours,
    )


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
    store: Store, manifest: Manifest, name: str, part: Model | FlatIndex | KNNGraph | ASMK
) -> Manifest:
    def write(path: object) -> None:
        kin.write(path, part.kind, part.params(), part.arrays())  # type: ignore[arg-type]

    return manifest.with_parts(**{name: store.add("parts", ".kin", write, label=f"{name}-")})
