"""Which photos of a gallery are copies of others, which of them to keep, and what to do with the rest."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import GalleryError, ImageError
from kinfold.base.progress import progress
from kinfold.base.threads import in_threads
from kinfold.gallery.edited import lay_over
from kinfold.gallery.matches import joined_by_graph, matches_of
from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Reader, Snapshot
from kinfold.gallery.verdict import Agreement, Verdict
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels
from kinfold.landmarks.groups import find_groups
from kinfold.local.match import match, mirrored
from kinfold.local.match_graph import MatchGraph
from kinfold.local.verify import project, verify

# Pixels are compared at this side; decoded photos that are kept at hand, and pairs that are looked at between two
# steps of the bar.
_SIDE, _AT_HAND, _TOGETHER = 512, 256, 64
# Matches of pairs whose pixels are looked at, and the share of those that look alike.
_LEAST, _LEAST_SHARE = 8, 0.3
# Of each photo's mirror image, so many of the most similar photos are looked at.
_MIRRORED = 3
# Formats by what is lost in them, the best first; others come last.
_FORMATS = (
    ("dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"), ("tif", "tiff"), ("png", "bmp", "ppm", "pgm"),
    ("jpg", "jpeg", "heic", "heif", "avif", "webp"),
)  # fmt: skip
_SAME_PIXELS = ("recompression",)
RULES = (
    "in a folder to keep", "nothing around it or over it", "more pixels", "a format that loses less",
    "a larger file", "the earlier date", "the shorter path",
)  # fmt: skip


@dataclass(frozen=True)
class Copy:
    """A photo that another one stands for.

    verdict : SAME_FILE or EDITED_COPY
    edits : what was done to one of the two, in words; empty for the same file
    correlation : of their pixels, laid over each other; 1 for the same file
    kept : whether it lies in a folder to keep, so that nothing is to be done with it
    """

    photo: Photo
    verdict: Verdict
    edits: tuple[str, ...]
    correlation: float
    kept: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "path": self.photo.path,
            "verdict": str(self.verdict),
            "edits": list(self.edits),
            "correlation": round(self.correlation, 4),
            "keep": self.kept,
            **_facts(self.photo),
        }


@dataclass(frozen=True)
class CopySet:
    """Photos that are one picture.

    keep : the one to keep; why : the first of ``RULES`` by which it is before the others
    copies : the others
    """

    keep: Photo
    why: str
    copies: tuple[Copy, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "keep": {"path": self.keep.path, "why": self.why, **_facts(self.keep)},
            "copies": [copy.to_dict() for copy in self.copies],
        }


@dataclass(frozen=True)
class Duplicates:
    """What is one picture, and what only shows the same thing.

    sets : by the path of what is kept
    shots : pairs of photos that show the same thing and are no copies, with the matches that one map explains
    unseen : photos whose files could not be read, so that geometry alone spoke of them
    root : the folder of the photos
    """

    sets: tuple[CopySet, ...]
    shots: tuple[tuple[Photo, Photo, int], ...]
    unseen: tuple[str, ...]
    root: Path

    @property
    def spare(self) -> list[Photo]:
        """The photos that others stand for and that lie in no folder to keep."""
        return [copy.photo for held in self.sets for copy in held.copies if not copy.kept]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "root": str(self.root),
            "rules": list(RULES),
            "sets": [held.to_dict() for held in self.sets],
            "spare_bytes": sum(photo.size for photo in self.spare),
            "other_shots": [[a.path, b.path, inliers] for a, b, inliers in self.shots],
            "unseen": list(self.unseen),
        }


@dataclass(frozen=True)
class _Found:
    """What was found of a pair: places in the index; ``framed`` is that which has something plain around the other."""

    first: int
    second: int
    edits: tuple[str, ...]
    correlation: float
    inliers: int
    copy: bool
    framed: int | None = None


def duplicates_of(
    reader: Reader, *, keep: Sequence[str] = (), mirrors: bool = True, verbose: bool = True
) -> Duplicates:
    """See ``Gallery.duplicates``."""
    snapshot = reader.snapshot
    first, wanted = joined_by_graph(snapshot)
    photos = snapshot.by_ids(snapshot.ids.tolist())
    by_place = [photos.get(int(id)) for id in snapshot.ids]
    wanted = wanted[[by_place[a] is not None and by_place[b] is not None for a, b in wanted]]
    graph = matches_of(reader, snapshot.ids[wanted], verbose=verbose)
    pairs = list(_agreements(graph, snapshot.ids, wanted))
    if mirrors:
        pairs += _mirrors(snapshot, by_place, first, wanted, verbose)
    unseen: set[str] = set()
    found = _looked_at(snapshot, by_place, pairs, unseen, verbose)
    return _told(snapshot, by_place, first, found, tuple(keep), unseen)


def _agreements(graph: MatchGraph, ids: Ids, wanted: Ids) -> Iterable[tuple[int, int, Agreement]]:
    """What geometry found of the pairs with so many matches that there is something to look at."""
    places = graph.places(ids)[wanted]
    known = np.flatnonzero((places >= 0).all(axis=1))
    for at, row in zip(known.tolist(), graph.rows_of(places[known]).tolist()):
        if graph.inliers[row] < _LEAST:
            continue
        ends, points = graph.tried[row], graph.points_of(row).astype(np.float64)
        a, b = wanted[at].tolist()
        if ends[0] != places[at][0]:
            a, b = b, a
        yield a, b, Agreement(points, int(graph.matched[row]), graph.sizes[ends])


def _mirrors(
    snapshot: Snapshot,
    photos: Sequence[Photo | None],
    first: Ids,
    wanted: Ids,
    verbose: bool,
) -> list[tuple[int, int, Agreement]]:
    """Mirror images, which the graph does not join: what is most similar to each photo's mirror image is looked at."""
    model, fused = snapshot.parts.model, snapshot.parts.fused
    own = [at for at in np.flatnonzero(first == np.arange(len(first))).tolist() if photos[at]]
    index = fused.index
    if index is None or not hasattr(index, "search") or "cnn" in model.engines:
        return []
    place = {int(id): at for at, id in enumerate(fused.ids.tolist())}

    def look(at: int) -> list[tuple[int, int, Agreement]]:
        photo = photos[at]
        assert photo is not None
        ours = snapshot.segments.features(photo)
        if not len(ours):
            return []
        turned = mirrored(ours)
        near = index.search(np.asarray(model.describe(turned)), _MIRRORED).ids
        pairs = []
        for id in near[near >= 0].tolist():
            other = place[int(id)]
            there = photos[other]
            # Each pair once, from the photo that comes first.
            if other == at or there is None or first[other] != other:
                continue
            theirs = snapshot.segments.features(there)
            alike = match(turned, theirs)
            if len(alike) < _LEAST:
                continue
            seen = verify(turned, theirs, alike, mirrored=True)
            if seen.inliers >= _LEAST:
                grow = [_grow(snapshot, each) for each in (photo, there)]
                points = np.hstack(
                    [
                        project(features.positions[rows], to)
                        for features, rows, (to, _) in zip((ours, theirs), seen.pairs.T, grow)
                    ]
                )
                sizes = np.stack([size for _, size in grow])
                pairs.append((at, other, Agreement(points, len(alike), sizes)))
        return pairs

    found: dict[tuple[int, int], tuple[int, int, Agreement]] = {}
    with progress((), "mirror images", verbose=verbose, total=len(own)) as bar:
        for begin in range(0, len(own), _TOGETHER):
            part = own[begin : begin + _TOGETHER]
            for several in in_threads(look, part):
                for pair in several:
                    found.setdefault((min(pair[:2]), max(pair[:2])), pair)
            bar.update(len(part))
    return list(found.values())


def _grow(snapshot: Snapshot, photo: Photo) -> tuple[Any, Any]:
    """The map (3, 3) from the pixels that were described to those of the upright original, and its size."""
    width, height, seen_width, seen_height = snapshot.segments.frame(photo)
    return np.diag([width / seen_width, height / seen_height, 1.0]), np.array(
        [width, height], float
    )


def _looked_at(
    snapshot: Snapshot,
    photos: Sequence[Photo | None],
    pairs: Sequence[tuple[int, int, Agreement]],
    unseen: set[str],
    verbose: bool,
) -> list[_Found]:
    """What pixels say of pairs; ``unseen`` takes in the photos whose files cannot be read."""
    root = snapshot.root
    # Pairs of one photo follow each other: it is decoded once.
    pairs = sorted(pairs, key=lambda pair: pair[:2])

    @lru_cache(_AT_HAND)
    def pixels(at: int) -> Pixels | None:
        photo = photos[at]
        assert photo is not None
        try:
            return decode(root / photo.path, max_side=_SIDE).pixels
        except (ImageError, OSError):
            unseen.add(photo.path)
            return None

    def look(pair: tuple[int, int, Agreement]) -> _Found:
        a, b, found = pair
        inliers = len(found.matches)
        shown = None
        if inliers >= _LEAST_SHARE * found.matched:
            ours, theirs = pixels(a), pixels(b)
            if ours is not None and theirs is not None:
                shown = lay_over(found, ours, theirs)
        if shown is None:
            return _Found(a, b, (), 0.0, inliers, False)
        framed = None if shown.framed is None else (a, b)[shown.framed]
        return _Found(a, b, shown.edits, shown.over.correlation, inliers, shown.is_copy, framed)

    found = []
    with progress((), "compare pixels", verbose=verbose, total=len(pairs)) as bar:
        for at in range(0, len(pairs), _TOGETHER):
            part = pairs[at : at + _TOGETHER]
            found += in_threads(look, part)
            bar.update(len(part))
    return found


def _told(
    snapshot: Snapshot,
    photos: Sequence[Photo | None],
    first: Ids,
    found: Sequence[_Found],
    keep: tuple[str, ...],
    unseen: set[str],
) -> Duplicates:
    """Sets of copies, each with the one to keep."""
    copies = [one for one in found if one.copy]
    pairs = {frozenset((one.first, one.second)): one for one in copies}
    worse = {one.framed for one in copies} | _written_on(copies)
    here = [at for at, photo in enumerate(photos) if photo is not None]
    same = [
        (int(first[at]), at) for at in here if first[at] != at and photos[first[at]] is not None
    ]
    ends = np.array([(one.first, one.second) for one in copies] + same, np.int64).reshape(-1, 2)
    sets = []
    owner: dict[int, int] = {}
    for number, group in enumerate(find_groups(len(photos), ends, np.ones(len(ends)))):
        places = group.members.tolist()
        owner |= dict.fromkeys(places, number)
        members = [
            _Member(photo, int(first[at]), int(first[at]) in worse)
            for at in places
            if (photo := photos[at]) is not None
        ]
        sets.append(_set(members, pairs, keep))
    shots = tuple(
        (photos[one.first], photos[one.second], one.inliers)
        for one in sorted(found, key=lambda one: -one.inliers)
        if not one.copy
        and owner.get(one.first, -1) != owner.get(one.second, -2)
        and one.inliers >= 2 * _LEAST
    )
    ordered = tuple(sorted(sets, key=lambda held: held.keep.path))
    return Duplicates(ordered, shots, tuple(sorted(unseen)), snapshot.root)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Member:
    """A photo of a set, with the place of its first copy, and whether something is around its picture or over it."""

    photo: Photo
    place: int
    worse: bool


def _written_on(copies: Sequence[_Found]) -> set[int]:
    """The photos that differ in places from most of their copies; of two that differ nobody knows which."""
    differ: defaultdict[int, list[bool]] = defaultdict(list)
    for one in copies:
        for place in (one.first, one.second):
            differ[place].append("overlay" in one.edits)
    return {place for place, each in differ.items() if len(each) > 1 and 2 * sum(each) > len(each)}


def _set(
    members: Sequence[_Member], pairs: Mapping[frozenset[int], _Found], keep: tuple[str, ...]
) -> CopySet:
    """The set of some photos; ``pairs`` are the copies that were found, by their places."""
    kept, *others = sorted(members, key=lambda member: _rank(member, keep))
    ranks = _rank(kept, keep), _rank(others[0], keep)
    why = next(rule for rule, a, b in zip(RULES, *ranks) if a != b)
    copies = []
    for one in others:
        photo, correlation = one.photo, 1.0
        edits: tuple[str, ...] = ()
        verdict = Verdict.SAME_FILE
        if photo.digest is None or photo.digest != kept.photo.digest:
            verdict, edits = Verdict.EDITED_COPY, _SAME_PIXELS
            # What was done to it, against what is kept; where that was not found, against any other.
            beside = [pairs.get(frozenset((one.place, other.place))) for other in (kept, *others)]
            known = next((pair for pair in beside if pair is not None), None)
            if one.place != kept.place and known is not None:
                edits, correlation = known.edits, known.correlation
        copies.append(Copy(photo, verdict, edits, correlation, _inside(photo.path, keep)))
    return CopySet(kept.photo, why, tuple(copies))


def _rank(member: _Member, keep: tuple[str, ...]) -> tuple[Any, ...]:
    """By ``RULES``, the best first."""
    photo = member.photo
    ending = PurePosixPath(photo.path).suffix[1:].lower()
    form = next((n for n, known in enumerate(_FORMATS) if ending in known), len(_FORMATS))
    pixels = (photo.width or 0) * (photo.height or 0)
    date = photo.taken or _day(photo)
    kept = not _inside(photo.path, keep)
    return kept, member.worse, -pixels, form, -photo.size, date, (len(photo.path), photo.path)


def _day(photo: Photo) -> str:
    """When the file was written, as ``taken`` is spelt."""
    moment = datetime.fromtimestamp(photo.mtime_ns / 1e9, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def folders_inside(root: Path, keep: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Folders to keep, as paths in the folder of photos. Raises GalleryError for one that does not lie in it."""
    found = []
    for folder in keep:
        given = Path(folder)
        inside = [root / given, given] if not given.is_absolute() else [given]
        real = next((path.resolve() for path in inside if path.is_dir()), None)
        if real is None or not real.is_relative_to(root.resolve()):
            raise GalleryError(f"keep: {folder} is no folder in {root}, whose photos these are")
        inner = real.relative_to(root.resolve()).as_posix()
        if inner == ".":
            raise GalleryError(f"keep: {folder} holds all of the photos: none could be proposed")
        found.append(inner)
    return found


def _facts(photo: Photo) -> dict[str, Any]:
    return {
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.size,
        "date": photo.taken or _day(photo),
    }
