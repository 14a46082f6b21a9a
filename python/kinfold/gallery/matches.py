"""What geometry says of pairs of a gallery's photos: kept in its folder, and gone on with where pairs are missing."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_array
from kinfold.base.errors import FileFormatError, GalleryError, Remark
from kinfold.base.warn import warn_caller
from kinfold.gallery.copies import first_photos
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.own import own_file
from kinfold.gallery.photo import Photo
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.reader import Reader, Snapshot
from kinfold.gallery.store import MATCHES, Store
from kinfold.graph.knn import KNNGraph
from kinfold.io import kin
from kinfold.local.match_graph import DIGEST, MatchGraph

# Where nothing may be written, what was found is told and not kept.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def matches_of(reader: Reader, pairs: Ids, *, verbose: bool) -> MatchGraph:
    """What geometry says of pairs of photos, int64 (m, 2) of ids; pairs of photos that are gone are passed over."""
    photos = reader.table.described()
    graph = _of_photos(photos).joined(_kept(reader.store))
    places = graph.places(pairs)
    places = places[(places >= 0).all(axis=1)]
    frames = np.ones((len(graph), 2))
    for place in np.unique(graph.missing(places)).tolist():
        frames[place] = reader.segments.frame(photos[place])[2:]
    try:
        return graph.extended(
            places,
            lambda place: reader.segments.features(photos[place]),
            frames,
            keep=lambda found: _keep(reader, found),
            verbose=verbose,
        )
    except KeyboardInterrupt as stop:
        with suppress(Exception):
            kept = read_matches(reader.store)
            if kept is not None:
                text = f"{reader.store.folder} keeps the {len(kept.tried)} pairs verified so far"
                stop.kept = text  # type: ignore[attr-defined]
        raise


def as_pairs(table: PhotoTable, pairs: Any) -> Ids:
    """Ids of photos that are there, int64 (m, 2). Raises ValueError for anything else."""
    array = as_array(pairs, "pairs") if np.size(pairs) else np.empty((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"pairs: expected ids of photos (m, 2), got shape {array.shape}")
    known = [photo.id for photo in table.described()]
    unknown = array[~np.isin(array, known)]
    if len(unknown):
        raise ValueError(f"pairs: expected ids of photos of the gallery, got {unknown[0]}")
    return array.astype(np.int64)


def joined_by_graph(snapshot: Snapshot) -> tuple[Ids, Ids]:
    """The first copy of each photo, and the pairs of different photos to look at: what the graph joins, copies as their
    first.

    Where lists of neighbours hold all photos, all pairs: the graph leaves out what has nothing in common by an engine's
    account, and in a small collection that may be anything.

    Returns positions in ``snapshot.ids``: int64 (n,), a photo's own where it is gone; int64 (m, 2), sorted.
    """
    ids, graph = snapshot.ids, snapshot.parts.graph
    photos = {photo.id: photo for photo in snapshot.table.described()}
    present = np.flatnonzero([id in photos for id in ids.tolist()])
    first = np.arange(len(ids))
    here = [photos[id] for id in ids[present].tolist()]
    first[present] = present[first_photos(here, snapshot.segments)]
    distinct = np.unique(first[present])
    if len(distinct) <= graph.k + 1:
        return first, distinct[np.column_stack(np.triu_indices(len(distinct), 1))]
    edges = candidates(graph)
    pairs = np.sort(first[edges[np.isin(edges, present).all(axis=1)]], axis=1)
    return first, np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def candidates(graph: KNNGraph) -> Ids:
    """The graph's edges, positions (m, 2), the first below the second."""
    first = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    pairs = np.column_stack([first, graph.neighbours.astype(np.int64)])
    return pairs[pairs[:, 0] < pairs[:, 1]]


def read_matches(store: Store) -> MatchGraph | None:
    """What the folder keeps; None where that is nothing. Raises FileFormatError for a damaged file."""
    path = store.folder / MATCHES
    if not own_file(path):
        return None
    try:
        return kin.load(path, MatchGraph)
    except FileNotFoundError:
        return None


def forget_damaged(store: Store) -> str | None:
    """Remove the file where it is damaged, for a writer; a line that says so."""
    try:
        read_matches(store)
    except FileFormatError as error:
        try:
            (store.folder / MATCHES).unlink()
        except OSError:
            return f"the matches are damaged and cannot be removed: {error}"
        return f"the matches were damaged: found anew when they are asked for ({error})"
    return None


def _kept(store: Store) -> MatchGraph:
    try:
        kept = read_matches(store)
    except FileFormatError as error:
        warn_caller(f"the matches were damaged: found anew ({error})", Remark)
        kept = None
    return MatchGraph([], np.empty((0, 2))) if kept is None else kept


def _of_photos(photos: Sequence[Photo]) -> MatchGraph:
    """A graph of these photos without any pair. What was found in a photo is what its segment holds in its row."""
    sizes = np.array([(photo.width, photo.height) for photo in photos], np.float64)
    found = [f"{photo.digest} {photo.segment} {photo.row}".encode() for photo in photos]
    sums = b"".join(hashlib.blake2b(text, digest_size=DIGEST).digest() for text in found)
    digests = np.frombuffer(sums, np.uint8).reshape(-1, DIGEST)
    return MatchGraph([photo.id for photo in photos], sizes.reshape(-1, 2), digests)


def _keep(reader: Reader, found: MatchGraph) -> None:
    """Put what was found into the folder, with what others put there meanwhile; or leave it where that cannot be."""
    store = reader.store
    try:
        with writer_lock(store.folder):
            try:
                there = read_matches(store)
            except FileFormatError:
                there = None
            graph = _of_photos(reader.table.described()).joined(found)
            graph = graph if there is None else graph.joined(there)
            path = store.folder / MATCHES
            kin.write(path, graph.kind, graph.params(), graph.arrays(), follow=False)
    except GalleryError:
        # Another process is writing.
        return
    except (OSError, FileFormatError) as error:
        if getattr(error, "errno", None) not in _READ_ONLY:
            warn_caller(f"the matches are not kept: {error}", Remark)
