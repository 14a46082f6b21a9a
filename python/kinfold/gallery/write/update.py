"""Brings a gallery in line with its folder of photos: list, compare, describe, index, and the manifest last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.batches import as_workers, described_by_workers
from kinfold.gallery.describe import Describer, Seconds
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.manifest import Manifest
from kinfold.gallery.matches import forget_damaged
from kinfold.gallery.names import as_names
from kinfold.gallery.parts import model_of
from kinfold.gallery.photo import DamagedTableError, Photo
from kinfold.gallery.photos import PhotoTable, salvage
from kinfold.gallery.reader import Reader, other_version
from kinfold.gallery.segments import damaged_segments
from kinfold.gallery.store import PHOTOS, Store
from kinfold.gallery.table_file import check_files
from kinfold.gallery.vector_search import check_enough, spelling
from kinfold.gallery.write import build
from kinfold.gallery.write.changes import Changes
from kinfold.gallery.write.compare import compare, list_files
from kinfold.gallery.write.create import check_search, gives_vectors
from kinfold.gallery.write.folders import Given, folders_of
from kinfold.gallery.write.keep import SEGMENT, describe
from kinfold.images.walk import Listing


def update(
    reader: Reader,
    photos: Given,
    *,
    files: Sequence[str] | None,
    relearn: bool,
    prune: bool,
    verify: bool,
    search: str | None,
    workers: int | str,
    verbose: bool,
) -> Changes:
    """Do what is to be done, under the lock of writers; see ``Gallery.update``."""
    began = time.perf_counter()
    as_workers(workers)
    folder = reader.store.folder
    try:
        with writer_lock(folder) as tell:
            seconds = Seconds(verbose=verbose, tell=tell)
            changes = _update(
                reader, photos, files, relearn, prune, verify, search, workers, verbose, seconds
            )
    except PermissionError as error:
        raise GalleryError(f"{folder}: cannot be written: {error.strerror}") from error
    except KeyboardInterrupt as stop:
        with suppress(Exception):
            if count := reader.table.count():
                kept = f"{folder} keeps the {count} photos described so far; run it again to go on"
                stop.kept = kept  # type: ignore[attr-defined]
        raise
    finally:
        reader.forget()
    changes.total_seconds = time.perf_counter() - began
    return changes


def _update(
    reader: Reader,
    photos: Given,
    files: Sequence[str] | None,
    relearn: bool,
    prune: bool,
    verify: bool,
    search: str | None,
    workers: int | str,
    verbose: bool,
    seconds: Seconds,
) -> Changes:
    store = reader.store
    manifest = store.read()
    if search is not None:
        manifest = replace(manifest, settings=replace(manifest.settings, search=search))
        check_search(manifest.settings)
    roots = folders_of(store.folder, manifest, photos, lambda: _holds_photos(reader))
    root, others = roots[0], tuple(map(str, roots[1:]))
    changes = Changes()
    with seconds.of("list files"):
        listed = None if files is None else as_names(files, "files")
        listing = list_files(roots, listed, store.folder)
    manifest, table, known = _writable(reader, manifest, changes)
    with table:
        _check_root(store, manifest, root, known, listing, prune)
        if (manifest.photos, manifest.folders) != (str(root), others):
            manifest = replace(manifest, photos=str(root), folders=others)
            store.write(manifest)
        with seconds.of("compare"):
            lost = damaged_segments(store, known, verify=verify)
            plan = compare(table, known, root, listing, changes, lost=lost, prune=prune)
        if prune and (left := tuple(one for one in others if Path(one).is_dir())) != others:
            manifest = replace(manifest, folders=left)
            store.write(manifest)
        _check_enough(store, manifest, table.count() + len(plan.fresh), relearn)
        if plan.fresh:
            describer = reader.describer(manifest)
            _check_fingerprint(store, manifest, describer)
            if workers in (0, 1):
                came = describer.files(root, plan.fresh, SEGMENT, seconds)
            else:
                came = described_by_workers(
                    reader.batches(manifest), workers, root, plan.fresh, SEGMENT, seconds
                )
            describe(table, store, plan, came, changes, seconds, verbose=verbose)
        unread = [(photo.path, photo.reason or "") for photo in table.failed()]
        changes.failed = sorted(dict(unread + changes.failed + listing.skipped).items())
        described = table.described()
        if described:
            manifest, changes.relearnt = build.finish(
                store,
                manifest,
                described,
                lambda: reader.describer(manifest).fingerprint,
                seconds,
                relearn=relearn,
                notes=changes.notes,
                verify=verify,
            )
        elif manifest.segments:
            manifest = manifest.without_index()
            store.write(manifest)
        store.sweep(manifest, {photo.segment or "" for photo in described})
        if damage := forget_damaged(store):
            changes.notes.append(damage)
    if not described and not changes.removed:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in changes.failed[:3])
        raise GalleryError(
            f"{root}: no photo that can be read" + (f" ({reasons})" if reasons else "")
        )
    if listing.others:
        kinds = ", ".join(f"{n} {ending}" for ending, n in sorted(listing.others.items()))
        changes.notes.append(f"not read: files of other kinds ({kinds})")
    reader.settings = manifest.settings
    changes.seconds = seconds.to_dict()
    return changes


def _writable(
    reader: Reader, manifest: Manifest, changes: Changes
) -> tuple[Manifest, PhotoTable, list[Photo]]:
    """The table of photos, to be changed, and all that it holds; made anew where it is damaged."""
    path = reader.store.folder / PHOTOS
    check_files(path, written=True)
    try:
        table = PhotoTable(path, write=True, folders=reader.store.folders)
        try:
            table.check()
            table.next_id()
            return manifest, table, table.all()
        except BaseException:
            table.close()
            raise
    except DamagedTableError as error:
        # Ids may be given again: nothing that knows the old ones may be left.
        manifest = manifest.without_index()
        reader.store.write(manifest)
        kept = salvage(path, reader.store.folders)
        reader.close()
        PhotoTable.create(path, kept)
        changes.notes.append(
            f"the table of photos was damaged ({error}): {len(kept)} of its photos were kept"
        )
        return manifest, PhotoTable(path, write=True, folders=reader.store.folders), kept


def _holds_photos(reader: Reader) -> bool:
    with suppress(FileFormatError):
        return bool(reader.table.count())
    return True  # a damaged table is mended later


def _check_root(
    store: Store,
    manifest: Manifest,
    root: Path,
    known: Sequence[Photo],
    listing: Listing,
    prune: bool,
) -> None:
    """A folder given by mistake, or whose drive is not mounted, must not empty the gallery."""
    described = {(photo.path, photo.size) for photo in known if photo.segment is not None}
    if not described:
        return
    if manifest.photos not in (None, str(root)):
        # What has a whole path is in another folder.
        here = [file for file in listing.photos if not file.path.startswith("/")]
        if not any((file.path, file.size) in described for file in here):
            raise GalleryError(
                f"{store.folder}: holds the photos of {manifest.photos}, and {root} has none of them; "
                "choose another gallery"
            )
    elif not listing.photos and not listing.closed and not prune:
        raise GalleryError(
            f"{root}: holds no photo now; is a drive not mounted? The {len(described)} photos of {store.folder} "
            "stay in it (--prune removes them)"
        )


def _check_enough(store: Store, manifest: Manifest, most: int, relearn: bool) -> None:
    """An index that is to be learnt can be: that is told before photos are described, which may take hours."""
    search = manifest.settings.search
    there = "search" in manifest.parts and store.read().settings.search == search
    # Of regions there are many more than photos.
    spec = spelling(search, most) if gives_vectors(manifest.settings) else None
    if spec is not None and (relearn or not there):
        check_enough(spec, most)


def _check_fingerprint(store: Store, manifest: Manifest, describer: Describer) -> None:
    """Photos are described as the others were."""
    with suppress(FileFormatError, FileNotFoundError):  # that is mended later
        if "model" in manifest.parts and (
            model_of(store, manifest).fingerprint != describer.fingerprint
        ):
            raise GalleryError(other_version(store.folder))
