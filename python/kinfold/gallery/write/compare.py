"""What of a folder of photos is new, changed, moved or gone since the table was written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from kinfold.gallery.names import by_form, listed_path
from kinfold.gallery.photo import Photo
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.write.changes import Changes, photos
from kinfold.images.digest import content_digest
from kinfold.images.walk import Listing, PhotoFile, survey

# More than this share of the photos is not taken for deleted unless that is asked for. A few are, if they are not most;
# and some where the folder holds as many photos as before: a drive that is not mounted brings no new ones.
_LARGE, _FEW, _SOME = 0.1, 3, 12


@dataclass
class Plan:
    """What is to be described.

    old : what the table holds of these files; it stays until there is something better
    lost : segments that cannot be read any more, so that nothing better is needed
    """

    fresh: list[PhotoFile] = field(default_factory=list)
    old: dict[str, Photo] = field(default_factory=dict)
    lost: Collection[str] = ()


def list_files(roots: Sequence[Path], listed: Sequence[str] | None, inside: Path) -> Listing:
    """The photos to index, and what cannot be: all of some folders but the gallery itself, or those listed.

    roots : paths are in the first of them; what the others hold has its whole path
    """
    root, *others = roots
    found = _without(survey(root), root, inside)
    for other in others:
        _join(found, other, inside)
    if listed is None:
        return found
    by_path = {file.path: file for file in found.photos}
    forms = by_form(by_path)
    chosen: dict[str, PhotoFile] = {}
    for name in listed:
        path = listed_path(name, forms, root)
        if path is None:
            found.skipped.append((name, "is listed, but is no photo in the folder"))
        else:
            chosen[path] = by_path[path]
    found.photos = sorted(chosen.values(), key=lambda file: file.path)
    return found


def _join(found: Listing, folder: Path, inside: Path) -> None:
    """What is in another folder, by whole paths; a folder that is gone may be back another day."""
    if not folder.is_dir():
        found.vacant.append(str(folder))
        return
    more = _without(survey(folder), folder, inside)

    def whole(path: str) -> str:
        return f"{folder}/{path}" if path else str(folder)

    found.photos += [replace(file, path=whole(file.path)) for file in more.photos]
    found.skipped += [(whole(path), reason) for path, reason in more.skipped]
    found.closed += map(whole, more.closed)
    found.vacant += map(whole, more.vacant)
    for ending, count in more.others.items():
        found.others[ending] = found.others.get(ending, 0) + count


def _without(found: Listing, root: Path, inside: Path) -> Listing:
    """The same without the files of the gallery, where it lies in the folder."""
    gallery, top = inside.resolve(), root.resolve()
    if gallery.is_relative_to(top):
        prefix = gallery.relative_to(top).as_posix() + "/"
        found.photos = [file for file in found.photos if not file.path.startswith(prefix)]
    return found


def compare(
    table: PhotoTable,
    known: Sequence[Photo],
    root: Path,
    listing: Listing,
    changes: Changes,
    *,
    lost: Collection[str] = (),
    prune: bool = False,
) -> Plan:
    """Note what moved or is gone in the table; returns what is to be described.

    known : all that the table holds
    lost : segments that cannot be read any more
    prune : take all that is not there for deleted, however much it is; not what could not be looked at
    """
    plan = Plan(lost=lost)
    by_path = {photo.path: photo for photo in known}
    gone = _gone(by_path, listing, changes, lost, prune)
    twins: defaultdict[tuple[int, str], list[Photo]] = defaultdict(list)
    for photo in gone:
        if photo.digest is not None and photo.segment is not None and photo.segment not in lost:
            twins[photo.size, photo.digest].append(photo)
    sizes = {size for size, _ in twins}
    updates: list[tuple[int, dict[str, object]]] = []
    moved: set[int] = set()
    for file in listing.photos:
        old = by_path.get(file.path)
        stamp: dict[str, object] = {"size": file.size, "mtime_ns": file.mtime_ns}
        if old is None:
            alike = (
                twins.get((file.size, _digest(root, file) or "")) if file.size in sizes else None
            )
            if alike:
                origin = alike.pop()
                moved.add(origin.id)
                updates.append((origin.id, {"path": file.path, **stamp}))
            else:
                plan.fresh.append(file)
        elif old.segment in lost or _may_be_better(old, file):
            if old.segment not in lost and old.segment and _same_content(root, file, old):
                updates.append((old.id, stamp))
                changes.unchanged += 1
            else:
                plan.fresh.append(file)
                plan.old[file.path] = old
        else:
            changes.unchanged += 1
    changes.moved = len(moved)
    removed = _removed(
        [photo for photo in gone if photo.id not in moved],
        known,
        len(listing.photos),
        changes,
        lost,
        prune,
    )
    if removed or updates:
        with table.transaction():
            table.delete(photo.id for photo in removed)
            for id, values in updates:
                # Two photos may have changed places: no path may be taken for a moment.
                if "path" in values:
                    table.update(id, {"path": f"//{id}"})
            for id, values in updates:
                table.update(id, values)
    return plan


def _gone(
    known: dict[str, Photo], listing: Listing, changes: Changes, lost: Collection[str], prune: bool
) -> list[Photo]:
    """The photos that are not in a folder that was read whole. Others may still be where they were: they stay."""
    present = {file.path for file in listing.photos}
    closed, vacant = set(listing.closed), set(() if prune else listing.vacant)
    unseen: Counter[str] = Counter()
    gone = []
    for path, photo in known.items():
        if path in present:
            continue
        place = _place(path, closed | vacant)
        # Of a photo whose features are lost, nothing could be kept.
        if place is None or photo.segment in lost:
            gone.append(photo)
        else:
            unseen[place] += photo.segment is not None
    for place, count in sorted(unseen.items()):
        changes.kept += count
        name = place or "the folder"
        if count and place in closed:
            changes.notes.append(
                f"{name}: cannot be read now; {photos(count)} in it stay as they were"
            )
        elif count:
            changes.notes.append(
                f"{name}: holds nothing now; is a drive not mounted? {photos(count)} of it stay in the gallery "
                "(--prune removes them)"
            )
    return gone


def _place(path: str, places: Collection[str]) -> str | None:
    """Which of the places a path is at or below."""
    if not places:
        return None
    ways = [path, *(str(parent) for parent in PurePosixPath(path).parents[:-1])]
    # What has a whole path is in another folder than the first.
    ways += [] if path.startswith("/") else [""]
    return next((way for way in ways if way in places), None)


def _removed(
    gone: list[Photo],
    known: Sequence[Photo],
    present: int,
    changes: Changes,
    lost: Collection[str],
    prune: bool,
) -> list[Photo]:
    """What of the photos that are gone is taken for deleted; ``present`` is how many files there are."""
    spoilt = sum(photo.segment in lost for photo in gone)
    if spoilt:
        changes.notes.append(
            f"the features of {photos(spoilt)} were damaged, and the files are not there to be described anew: "
            "they have left the gallery"
        )
    mourned = [photo for photo in gone if photo.segment is not None and photo.segment not in lost]
    count, total = len(mourned), sum(photo.segment is not None for photo in known)
    few = count <= _FEW and 2 * count <= total
    replaced = count <= _SOME and present >= (1 - _LARGE) * total
    if prune or few or replaced or count <= _LARGE * total:
        changes.removed = len(gone)
        return gone
    changes.kept += count
    changes.notes.append(
        f"{count} of {total} photos are not in the folder; they stay in the gallery in case they come back "
        "(--prune removes them)"
    )
    kept = {photo.id for photo in mourned}
    rest = [photo for photo in gone if photo.id not in kept]
    changes.removed = len(rest)
    return rest


def _may_be_better(old: Photo, file: PhotoFile) -> bool:
    """Whether describing a file may give something else than the table holds."""
    if (old.size, old.mtime_ns) != (file.size, file.mtime_ns):
        return True
    # What stood in the way outside of the file may be gone.
    return old.segment is None and old.cause != "file"


def _same_content(root: Path, file: PhotoFile, old: Photo) -> bool:
    return old.size == file.size and old.digest == _digest(root, file)


def _digest(root: Path, file: PhotoFile) -> str | None:
    try:
        return content_digest(root / file.path)
    except OSError:
        return None
