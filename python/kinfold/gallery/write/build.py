"""From described photos to model, index and graph, and to the manifest that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.gallery.added import Added, few
from kinfold.gallery.brought import BROUGHT_FOR, brought_engines
from kinfold.gallery.copies import first_photos
from kinfold.gallery.describe import Seconds
from kinfold.gallery.fused import Fused, searched_rows, searched_vectors
from kinfold.gallery.manifest import SEARCHES, Manifest
from kinfold.gallery.model import Model
from kinfold.gallery.near import Near
from kinfold.gallery.parts import (
    model_of,
    read_added,
    read_confidence,
    read_fused,
    read_graph,
    read_near,
)
from kinfold.gallery.photo import Photo
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.segments import Segments, read_segment
from kinfold.gallery.settings import Settings
from kinfold.gallery.store import Store
from kinfold.gallery.vector_search import in_line
from kinfold.gallery.write.confident import learn_confidence
from kinfold.gallery.write.nearest import nearest
from kinfold.index.flat import FlatIndex
from kinfold.io import kin
from kinfold.learn.adapter import Adapter

# Of each network, one or none.
Adapters = Sequence[Adapter | None]
# A model is learnt anew where the collection has grown to this many times what it was learnt on.
GROWTH = 1.5
_WHAT = {"model": "the model", "confidence": "how sure answers are:"}
_Part = TypeVar("_Part")


class Changed(NamedTuple):
    """The ids of photos that went and of those that came, and what keeps the latter alone, by engine."""

    gone: Ids
    came: Ids
    lists: dict[str, Any]

    @property
    def total(self) -> int:
        """How many photos came and went."""
        return self.gone.size + self.came.size


def finish(
    store: Store,
    manifest: Manifest,
    photos: Sequence[Photo],
    fingerprint: Callable[[], str],
    seconds: Seconds,
    *,
    relearn: bool,
    notes: list[str],
    adapters: Adapters | None = None,
    verify: bool = False,
) -> tuple[Manifest, bool]:
    """Bring model, index and graph in line with the photos; the manifest is replaced last.

    adapters : in the place of the model's, which else stay, even when it is learnt anew
    verify : look for damage in every byte of large files too

    What is damaged is made anew, and a line of that added to the notes. Returns the manifest, and whether the model was
    learnt (anew). Nothing is written where nothing changed.
    """
    old = manifest
    model = _sound(lambda: model_of(store, manifest), "model", "learnt", manifest, notes)
    if model is None and "model" in manifest.parts and not manifest.own_model:
        notes.append("the model came from another gallery; this one is of these photos alone")
    learn = relearn or model is None
    if model is not None and manifest.own_model:
        learn = learn or len(photos) >= GROWTH * model.photos
    kept = model
    if model is None or learn:
        with seconds.of("learn"):
            model = _learnt(store, manifest.settings, fingerprint(), photos, kept, relearn=relearn)
    changed_adapters = adapters is not None and not _same(adapters, model.adapters)
    if changed_adapters:
        model = model.adapted(adapters or ())
    # Words that are the same leave inverted files as they are.
    renewed = kept is not None and model is not kept and _same_lists(kept, model)
    fused = near = None
    if kept is not None and (model is kept or renewed):
        before = _sound(
            lambda: _indexed_before(store, manifest, kept, verify), "graph", "made", manifest, notes
        )
        fused, near = (None, None) if before is None else before
    if model is not kept:
        own = manifest.own_model or learn
        manifest = replace(_saved(store, manifest, "model", model), own_model=own)
    anew = fused is None or renewed
    with seconds.of("index"):
        fused, changed = _indexed(store, model, fused, photos, renewed=renewed)
    manifest = _with_search(store, manifest, fused, seconds)
    if anew or changed.total:
        with seconds.of("write"):
            manifest = _written(store, manifest, fused, changed, anew=anew)
        with seconds.of("graph"):
            by_id = {photo.id: photo for photo in photos}
            ordered = [by_id[id] for id in fused.ids.tolist()]
            k = manifest.settings.neighbours
            near = nearest(None if renewed else near, fused, ordered, Segments(store), k)
            manifest = _saved(store, manifest, "near", near)
            manifest = _saved(store, manifest, "graph", near.graph())
    manifest = _with_confidence(store, manifest, fused, photos, seconds, notes, learn or renewed)
    names = tuple(sorted({photo.segment for photo in photos if photo.segment}))
    manifest = replace(manifest, segments=names)
    if manifest != old:
        store.write(manifest)
    return manifest, learn


def _learnt(
    store: Store,
    settings: Settings,
    fingerprint: str,
    photos: Sequence[Photo],
    before: Model | None,
    *,
    relearn: bool,
) -> Model:
    """A model of these photos. What can be brought is not learnt, but where it was before, is asked for, or pays.

    before : the model up to now
    """
    own = before is not None and not before.brought
    learns = relearn or own or len(photos) not in BROUGHT_FOR
    there = {} if learns else brought_engines(settings)
    model = Model.learn(_segments(store, photos), settings, fingerprint, len(photos), there)
    return model.adapted(before.adapters) if before and any(before.adapters) else model


def _same_lists(some: Model, others: Model) -> bool:
    """Whether two models have the same engines without vectors."""
    states = [{n: e.arrays() for n, e in each.lists.items()} for each in (some, others)]
    return states[0].keys() == states[1].keys() and all(
        np.array_equal(array, states[1][name][part])
        for name, arrays in states[0].items()
        for part, array in arrays.items()
    )


def _with_search(store: Store, manifest: Manifest, fused: Fused, seconds: Seconds) -> Manifest:
    """The manifest with the indexes under vectors and regions in line with these, or without."""
    settings = manifest.settings
    for name in SEARCHES:
        ids, _ = searched_rows(fused, name)
        held = fused.nearest.get(name)
        with seconds.of("search index"):
            vectors = partial(searched_vectors, fused, name)
            of = "photos" if name == "search" else "regions"
            nearest = in_line(held, settings.search, vectors, ids, settings.seed, of)
        if nearest is None:
            manifest = manifest.without(name)
        elif nearest is not held:
            manifest = _saved(store, manifest, name, nearest)
    return manifest


def _with_confidence(
    store: Store,
    manifest: Manifest,
    fused: Fused,
    photos: Sequence[Photo],
    seconds: Seconds,
    notes: list[str],
    anew: bool,
) -> Manifest:
    """The manifest with how sure answers are, learnt anew where the photos or what is compared are others."""
    held = None
    if not anew:
        held = _sound(
            lambda: read_confidence(store, manifest), "confidence", "learnt", manifest, notes
        )
    if held is not None and len(photos) < GROWTH * held.photos:
        return manifest
    with seconds.of("confidence"):
        by_id = {photo.id: photo for photo in photos}
        ordered, segments = [by_id[id] for id in fused.ids.tolist()], Segments(store)
        first = first_photos(ordered, segments)
        made = learn_confidence(fused, ordered, first, segments, manifest.settings.seed)
    return _saved(store, manifest, "confidence", made)


def _sound(
    read: Callable[[], _Part], name: str, done: str, manifest: Manifest, notes: list[str]
) -> _Part | None:
    """A part that is there and sound; otherwise None, and a note if it should be there."""
    if name not in manifest.parts:
        return None
    try:
        return read()
    except (FileFormatError, FileNotFoundError, KeyError) as error:
        what = _WHAT.get(name, "index and graph")
        adapted = name == "model" and "cnn" in manifest.settings.engines
        lost = ", without an adapter that it may have had" * adapted
        notes.append(f"{what} damaged or missing: {done} anew{lost} ({error})")
        return None


def _indexed_before(
    store: Store, manifest: Manifest, model: Model, verify: bool
) -> tuple[Fused, Near | None]:
    fused = read_fused(store, manifest, model, whole=True, verify=verify)
    read_graph(store, manifest, fused)
    return fused, read_near(store, manifest, fused)


def _same(some: Adapters, others: Adapters) -> bool:
    """Whether these are the same, or none on either side."""
    if not any(some) and not any(others):
        return True
    states = [
        [a and (a.params(), {n: x.tobytes() for n, x in a.arrays().items()}) for a in each]
        for each in (some, others)
    ]
    return states[0] == states[1]


def _indexed(
    store: Store,
    model: Model,
    fused: Fused | None,
    photos: Sequence[Photo],
    *,
    renewed: bool = False,
) -> tuple[Fused, Changed]:
    """What the engines hold of these photos, and which had to go and to come for that.

    renewed : whether the vectors are others than they were; inverted files stay
    """
    wanted = np.array([photo.id for photo in photos], np.int64)
    present = np.empty(0, np.int64) if fused is None else fused.ids
    new = set(np.setdiff1d(wanted, present).tolist())
    gone = np.setdiff1d(present, wanted)
    index: Any = None if fused is None else fused.index
    came = model.empty()
    lists = came if fused is None else fused.lists
    for part in [] if fused is None else fused.indexes:
        part.remove(gone)
    if renewed:
        index = None
    for segment in _segments(store, [p for p in photos if renewed or p.id in new]):
        vectors = model.vectors(segment)
        if vectors is not None:
            index = FlatIndex(vectors.shape[1], metric="ip") if index is None else index
            index.add(vectors, ids=segment.ids)
        segment = segment.select(np.isin(segment.ids, list(new)))
        if came and len(segment):
            held: dict[str, list[Vectors]] = {}
            for name, engine in model.lists.items():
                if engine.kept not in held:
                    held[engine.kept] = engine.held(segment)
                came[name].add(held[engine.kept], ids=segment.ids)
    if came is not lists:
        for name, engine in model.lists.items():
            engine.adopt(lists[name], came[name])
    ids = next(part.ids for part in (index, *lists.values()) if part is not None)
    ordered = {name: model.lists[name].ordered(kept, ids) for name, kept in lists.items()}
    nearest = {} if fused is None or renewed else dict(fused.nearest)
    if ordered.get("regions") is not lists.get("regions"):
        # Its rows have other numbers.
        nearest.pop("regionsearch", None)
    return Fused(model, index, ordered, nearest), Changed(
        gone, np.array(sorted(new), np.int64), came
    )


def _written(
    store: Store, manifest: Manifest, fused: Fused, changed: Changed, *, anew: bool
) -> Manifest:
    """The manifest with index and inverted files in line with these: appended to, or written whole."""
    # Rows of regions are numbered by their order, and an index of them goes by these numbers.
    anew = anew or "regions" in fused.lists
    before = [] if anew else [read_added(store, name) for name in manifest.added]
    since = changed.total + sum(map(len, before))
    if not anew and few(since, len(fused) - len(changed.came)):
        gone, came, lists = changed
        added = Added.of(fused.model, gone, came, fused.index, lists)
        names = list(manifest.added)
        # Files of like size become one: there are never many, and each photo is written again a few times at most.
        while before and len(before[-1]) <= 2 * len(added):
            added = before.pop().then(fused.model, added)
            names.pop()
        return replace(manifest, added=(*names, _file(store, "added", added)))
    if fused.index is not None:
        manifest = _saved(store, manifest, "index", fused.index)
    for name, lists in fused.lists.items():
        manifest = _saved(store, manifest, name, lists)
    return replace(manifest, added=())


def _segments(store: Store, photos: Sequence[Photo]) -> list[PhotoSegment]:
    """The segments that hold these photos, cut to them, by id. Mapped: memory holds what is being read."""
    rows: dict[str, set[int]] = {}
    for photo in photos:
        rows.setdefault(photo.segment or "", set()).add(photo.id)
    segments = []
    for name, ids in rows.items():
        segment = read_segment(store.segment(name))
        segments.append(segment.select(np.isin(segment.ids, list(ids))))
    return segments


def _saved(store: Store, manifest: Manifest, name: str, part: Any) -> Manifest:
    return manifest.with_parts(**{name: _file(store, name, part)})


def _file(store: Store, name: str, part: Any) -> str:
    """The name of a new file of a part."""

    def write(path: Path) -> None:
        kin.write(path, part.kind, part.params(), part.arrays(), follow=False)

    return store.add("parts", ".kin", write, label=f"{name}-")
