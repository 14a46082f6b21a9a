"""Brings a gallery in line with its folder of photos: what is new, changed, moved, gone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.progress import progress
from kinfold.gallery.describe import Described, Describer, Found, Seconds
from kinfold.gallery.photos import Photo, PhotoTable
from kinfold.gallery.segment import Segment
from kinfold.gallery.store import Store
from kinfold.images.digest import content_digest
from kinfold.images.walk import PhotoFile, walk
from kinfold.io import kin

# Photos of a segment: what is lost when a run is killed, and what one file holds.
SEGMENT = 32


@dataclass
class Changes:
    """What an update did.

    failed : path and reason of each file that cannot be read, from this run or an earlier one
    seconds : spent in each stage, summed over threads
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    relearnt: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        described = self.added + self.changed
        rate = described / self.total_seconds if self.total_seconds else 0.0
        return {
            "added": self.added,
            "changed": self.changed,
            "moved": self.moved,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "relearnt": self.relearnt,
            "seconds": self.seconds,
            "total_seconds": round(self.total_seconds, 4),
            "photos_per_second": round(rate, 2),
        }


def list_files(
    root: Path, listed: Sequence[str] | None, inside: Path
) -> tuple[list[PhotoFile], list[tuple[str, str]]]:
    """The photos to index, and what cannot be: all of a folder but the gallery itself, or those listed."""
    unlisted: list[tuple[str, str]] = []
    files = walk(root, on_error=lambda path, reason: unlisted.append((path, reason)))
    gallery, top = inside.resolve(), root.resolve()
    if gallery.is_relative_to(top):
        prefix = gallery.relative_to(top).as_posix() + "/"
        files = [file for file in files if not file.path.startswith(prefix)]
    if listed is None:
        return files, unlisted
    by_path = {file.path: file for file in files}
    chosen: dict[str, PhotoFile] = {}
    for name in listed:
        plain = Path(os.path.normpath(name)).as_posix()
        if plain in by_path:
            chosen[plain] = by_path[plain]
        else:
            unlisted.append((name, "is listed, but is no photo in the folder"))
    return sorted(chosen.values(), key=lambda file: file.path), unlisted


def compare(
    table: PhotoTable, root: Path, files: Sequence[PhotoFile], changes: Changes
) -> list[PhotoFile]:
    """Note what moved or is gone in the table; returns the files that are to be described."""
    known: dict[str, Photo] = {photo.path: photo for photo in table.all()}
    present = {file.path for file in files}
    gone = [photo for path, photo in known.items() if path not in present]
    gone_by_digest: defaultdict[tuple[int, str], list[Photo]] = defaultdict(list)
    for photo in gone:
        if photo.digest is not None and photo.reason is None:
            gone_by_digest[photo.size, photo.digest].append(photo)
    sizes = {size for size, _ in gone_by_digest}
    fresh: list[PhotoFile] = []
    stale: list[int] = []
    updates: list[tuple[int, dict[str, object]]] = []
    moved: set[int] = set()
    for file in files:
        old = known.get(file.path)
        stamp: dict[str, object] = {"size": file.size, "mtime_ns": file.mtime_ns}
        if old is None:
            if file.size in sizes:
                twins = gone_by_digest.get((file.size, _digest(root, file) or ""))
                if twins:
                    origin = twins.pop()
                    moved.add(origin.id)
                    updates.append((origin.id, {"path": file.path, **stamp}))
                    changes.moved += 1
                    continue
            fresh.append(file)
            changes.added += 1
        elif (old.size, old.mtime_ns) == (file.size, file.mtime_ns):
            changes.unchanged += 1
        elif old.reason is None and old.size == file.size and old.digest == _digest(root, file):
            updates.append((old.id, stamp))
            changes.unchanged += 1
        else:
            stale.append(old.id)
            fresh.append(file)
            changes.changed += 1
    lost = [photo.id for photo in gone if photo.id not in moved]
    changes.removed = len(lost)
    if lost or stale or updates:
        with table.transaction():
            table.delete([*lost, *stale])
            for id, values in updates:
                # Two photos may have changed places: no path may be taken for a moment.
                if "path" in values:
                    table.update(id, {"path": f"//{id}"})
            for id, values in updates:
                table.update(id, values)
    return fresh


def describe(
    table: PhotoTable,
    store: Store,
    root: Path,
    files: Sequence[PhotoFile],
    describer: Describer,
    seconds: Seconds,
    *,
    verbose: bool,
) -> None:
    """Describe files and keep what was found, a segment at a time: a kill loses one segment's work at most."""
    with progress((), "describe", verbose=verbose, total=len(files)) as bar:
        for batch in describer.files(root, files, SEGMENT, seconds):
            with seconds.of("write"):
                _keep(table, store, batch)
            bar.update(len(batch))


def _keep(table: PhotoTable, store: Store, batch: list[Described]) -> None:
    first = table.next_id()
    photos: list[Photo] = []
    good: list[tuple[int, Found]] = []
    for id, item in enumerate(batch, first):
        photo = Photo(
            id, item.file.path, item.file.size, item.file.mtime_ns, item.digest, item.reason
        )
        if item.found is not None:
            info, (width, height, _, _) = item.found.info, item.found.frame
            photo = replace(
                photo,
                width=width,
                height=height,
                taken=info.taken,
                latitude=info.latitude,
                longitude=info.longitude,
                camera=info.camera,
                row=len(good),
            )
            good.append((id, item.found))
        photos.append(photo)
    name = None
    if good:
        segment = _segment(good)
        name = store.add(
            "segments",
            ".kin",
            lambda path: kin.write(
                path, segment.kind, segment.params(), segment.arrays(), follow=False
            ),
        )
    with table.transaction():
        for photo in photos:
            table.insert(photo if photo.row is None else replace(photo, segment=name))


def _segment(good: list[tuple[int, Found]]) -> Segment:
    return Segment.of(
        [id for id, _ in good],
        [found.frame for _, found in good],
        [found.features for _, found in good],
        [np.stack(vectors) for vectors in zip(*(found.networks for _, found in good))],
    )


def _digest(root: Path, file: PhotoFile) -> str | None:
    try:
        return content_digest(root / file.path)
    except OSError:
        return None
