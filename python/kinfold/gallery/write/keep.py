"""Describes what is new and keeps what was found, a segment at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from kinfold.base.progress import progress, tell
from kinfold.base.text import size_text
from kinfold.gallery.describe import Described, Found, Seconds
from kinfold.gallery.photo import Photo
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.store import Store
from kinfold.gallery.write.changes import Changes, photos
from kinfold.gallery.write.compare import Plan
from kinfold.io import kin

# Photos of a segment: what is lost when a run is killed, and what one file holds.
SEGMENT = 32
# Where there are so many, what all will cost is told when the first segment is done.
_MANY = 8 * SEGMENT


def describe(
    table: PhotoTable,
    store: Store,
    plan: Plan,
    described: Iterable[list[Described]],
    changes: Changes,
    seconds: Seconds,
    *,
    verbose: bool,
) -> None:
    """Keep what is found as it comes, a segment at a time: a kill loses one segment's work at most.

    described : what comes of the files of the plan, in their order, ``SEGMENT`` at a time
    """
    restored = done = 0
    began = time.perf_counter()
    with progress((), "describe", verbose=verbose, total=len(plan.fresh)) as bar:
        seconds.tell("describing photos", 0, len(plan.fresh))
        for number, batch in enumerate(described):
            with seconds.of("write"):
                again, size = _keep(table, store, batch, plan, changes)
            restored += again
            if number == 0 and len(plan.fresh) >= _MANY:
                each = (time.perf_counter() - began) / len(batch)
                tell(_cost(len(plan.fresh), each, size / len(batch)), verbose=verbose)
            bar.update(len(batch))
            done += len(batch)
            seconds.tell("describing photos", done, len(plan.fresh))
    if restored:
        changes.notes.append(f"{photos(restored)} whose features were damaged: described anew")


def _cost(count: int, seconds: float, size: float) -> str:
    """What describing so many photos takes, by what one took."""
    whole = count * seconds
    time_text = f"{whole / 60:.0f} minutes" if whole >= 90 else f"{whole:.0f} seconds"
    return (
        f"{photos(count)} at {1000 * seconds:.0f} ms each: about {time_text} to describe, "
        f"{size_text(count * size)} of features; what is learnt from them comes after"
    )


def _keep(
    table: PhotoTable, store: Store, batch: list[Described], plan: Plan, changes: Changes
) -> tuple[int, int]:
    """Put a batch into the table in place of what was there.

    Returns how many photos of lost segments are back, and the bytes of the segment.
    """
    first = table.next_id()
    rows: list[Photo] = []
    good: list[tuple[int, Found]] = []
    replaced: list[int] = []
    restored = 0
    for item in batch:
        file, old = item.file, plan.old.get(item.file.path)
        same = old is not None and (old.size, old.mtime_ns) == (file.size, file.mtime_ns)
        if item.found is None:
            changes.failed.append((file.path, item.reason or ""))
            if old is not None and _stays(old, item, same, plan):
                changes.unchanged += same
                continue
        elif old is None or (old.segment is None and same):
            changes.added += 1
        elif old.segment in plan.lost:
            restored += 1
        else:
            changes.changed += 1
        if old is not None:
            replaced.append(old.id)
        id = first + len(rows)
        photo = Photo(
            id, file.path, file.size, file.mtime_ns, item.digest, item.reason, cause=item.cause
        )
        if item.found is not None:
            info, (width, height, _, _) = item.found.info, item.found.frame
            caption = item.found.caption
            photo = replace(
                photo,
                width=width,
                height=height,
                taken=info.taken,
                latitude=info.latitude,
                longitude=info.longitude,
                camera=info.camera,
                tags="\n".join(caption.tags) or None,
                title=caption.title,
                user=caption.user,
                row=len(good),
            )
            good.append((id, item.found))
            if item.found.note:
                changes.notes.append(f"{file.path}: {item.found.note}")
        rows.append(photo)
    name, size = None, 0
    if good:
        segment = _segment(good)
        name = store.add(
            "segments",
            ".kin",
            lambda path: kin.write(
                path, segment.kind, segment.params(), segment.arrays(), follow=False
            ),
        )
        size = (store.folder / "segments" / name).stat().st_size
    if rows:
        with table.transaction():
            table.delete(replaced)
            for photo in rows:
                table.insert(photo if photo.row is None else replace(photo, segment=name))
    return restored, size


def _stays(old: Photo, item: Described, same: bool, plan: Plan) -> bool:
    """Whether a file that cannot be described leaves the table as it is."""
    if old.segment is None:
        return same and (old.reason, old.cause) == (item.reason, item.cause)
    # It was described, and may be as it was behind what stands in the way now.
    return old.segment not in plan.lost and item.cause != "file"


def _segment(good: list[tuple[int, Found]]) -> PhotoSegment:
    return PhotoSegment.of(
        [id for id, _ in good],
        [found.frame for _, found in good],
        [found.features for _, found in good],
        [np.stack(vectors) for vectors in zip(*(found.networks for _, found in good))],
        {n: RegionSets.joined([found.regions[n] for _, found in good]) for n in good[0][1].regions},
    )
