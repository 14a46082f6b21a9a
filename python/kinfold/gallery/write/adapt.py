"""Puts adapters in the place of a gallery's whitenings, or takes them away; no photo is described again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.errors import GalleryError
from kinfold.gallery.describe import Seconds
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.reader import Reader
from kinfold.gallery.store import PHOTOS
from kinfold.gallery.views.descriptors import descriptors_of
from kinfold.gallery.write.build import finish
from kinfold.learn.adapter import Adapter
from kinfold.local.match_graph import MatchGraph


def adapt(reader: Reader, adapters: Adapter | Sequence[Adapter | None] | None) -> list[str]:
    """Make vectors, index and graph anew by these, under the lock of writers; see ``Gallery.adapt``. Returns notes."""
    store = reader.store
    folder = store.folder
    notes: list[str] = []
    try:
        with writer_lock(folder):
            manifest = store.read()
            with PhotoTable(folder / PHOTOS, folders=store.folders) as table:
                photos = table.described()
            if not photos:
                raise GalleryError(f"{folder}: holds no photos yet")
            networks = reader.segments.get(photos[0].segment or "").networks
            chosen = _checked(adapters, [vectors.shape[1] for vectors in networks], folder)
            manifest, _ = finish(
                store,
                manifest,
                photos,
                lambda: reader.describer(manifest).fingerprint,
                Seconds(),
                relearn=False,
                notes=notes,
                adapters=chosen,
            )
            store.sweep(manifest, {photo.segment or "" for photo in photos})
    except PermissionError as error:
        raise GalleryError(f"{folder}: cannot be written: {error.strerror}") from error
    finally:
        reader.forget()
    return notes


def learn_adapters(
    reader: Reader, matches: MatchGraph, least_inliers: int, *, verbose: bool, **options: Any
) -> list[Adapter | None]:
    """Adapters that pairs of photos teach; see ``Gallery.learn_adapters``."""
    snapshot, settings = reader.snapshot, reader.settings
    pairs = matches.ids[matches.tried[matches.confirmed(least_inliers)]]
    found: list[Adapter | None] = []
    for network in range(max(len(snapshot.parts.manifest.weights), 1)):
        ids, x = descriptors_of(snapshot, network)
        if not len(pairs):
            raise GalleryError(
                f"{reader.store.folder}: geometry confirms of no two photos that they show the same thing: there is "
                "nothing to learn from"
            )
        rows = np.searchsorted(ids, pairs[np.isin(pairs, ids).all(axis=1)])
        chosen = {"dim": settings.network_dim, "whiten": settings.whitening, **options}
        adapter = Adapter(verbose=verbose, **chosen).fit(x, rows)
        found.append(adapter if adapter.after_ > adapter.before_ else None)
    return found


def _checked(adapters: Any, dims: list[int], folder: Path) -> list[Adapter | None]:
    """One, or None, for each network, whose descriptors have these dimensions."""
    if not dims:
        raise GalleryError(
            f"{folder}: adapters are of networks' descriptors, and this gallery was made without: kinfold index "
            "PHOTOS --weights FILE makes one with"
        )
    if adapters is None:
        return [None] * len(dims)
    if isinstance(adapters, Adapter):
        adapters = [adapters, *[None] * (len(dims) - 1)]
    chosen: list[Adapter | None] = (
        list(adapters) if isinstance(adapters, (list, tuple)) else [adapters]
    )
    if len(chosen) != len(dims) or not all(a is None or isinstance(a, Adapter) for a in chosen):
        raise ValueError(
            f"adapters: expected one or None for each of {len(dims)} networks, got {adapters!r}"
        )
    for adapter, dim in zip(chosen, dims):
        if adapter is not None and adapter.n_features_in_ != dim:
            raise ValueError(
                f"adapters: expected one of {dim} dimensions, as the network's descriptors have, "
                f"got one of {adapter.n_features_in_}: was it learnt with other weights?"
            )
    return chosen
