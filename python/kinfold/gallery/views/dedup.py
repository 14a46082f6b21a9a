"""Which photos of a gallery are copies of others, which of them to keep, and what to do with the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import ImageError
from kinfold.base.progress import progress
from kinfold.base.threads import in_threads
from kinfold.gallery.edited import LEAST_MATCHES, SIDE, Agreement, lay_over
from kinfold.gallery.matches import joined_by_graph, matches_of
from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Reader, Snapshot
from kinfold.gallery.views.keep import RULES, CopySet, Found, Member, set_of, written_on
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels
from kinfold.landmarks.groups import find_groups
from kinfold.local.match import match, mirrored
from kinfold.local.match_graph import MatchGraph
from kinfold.local.verify import project, verify

# Decoded photos that are kept at hand, and pairs that are looked at between two steps of the bar.
_AT_HAND, _TOGETHER = 256, 64
# Of each photo's mirror image, so many of the most similar photos are looked at.
_MIRRORED = 3


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
        if graph.inliers[row] < LEAST_MATCHES:
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
            if len(alike) < LEAST_MATCHES:
                continue
            seen = verify(turned, theirs, alike, mirrored=True)
            if seen.inliers >= LEAST_MATCHES:
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
) -> list[Found]:
    """What pixels say of pairs; ``unseen`` takes in the photos whose files cannot be read."""
    root = snapshot.root
    # Pairs of one photo follow each other: it is decoded once.
    pairs = sorted(pairs, key=lambda pair: pair[:2])

    @lru_cache(_AT_HAND)
    def pixels(at: int) -> Pixels | None:
        photo = photos[at]
        assert photo is not None
        try:
            return decode(root / photo.path, max_side=SIDE).pixels
        except (ImageError, OSError):
            unseen.add(photo.path)
            return None

    def look(pair: tuple[int, int, Agreement]) -> Found:
        a, b, found = pair
        inliers = len(found.matches)
        shown = lay_over(found, partial(pixels, a), partial(pixels, b))
        if shown is None:
            return Found(a, b, (), 0.0, inliers, False)
        framed = None if shown.framed is None else (a, b)[shown.framed]
        return Found(a, b, shown.edits, shown.over.correlation, inliers, shown.is_copy, framed)

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
    found: Sequence[Found],
    keep: tuple[str, ...],
    unseen: set[str],
) -> Duplicates:
    """Sets of copies, each with the one to keep."""
    copies = [one for one in found if one.copy]
    pairs = {frozenset((one.first, one.second)): one for one in copies}
    worse = {one.framed for one in copies} | written_on(copies)
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
            Member(photo, int(first[at]), int(first[at]) in worse)
            for at in places
            if (photo := photos[at]) is not None
        ]
        sets.append(set_of(members, pairs, keep))
    shots = tuple(
        (photos[one.first], photos[one.second], one.inliers)
        for one in sorted(found, key=lambda one: -one.inliers)
        if not one.copy
        and owner.get(one.first, -1) != owner.get(one.second, -2)
        and one.inliers >= 2 * LEAST_MATCHES
    )
    ordered = tuple(sorted(sets, key=lambda held: held.keep.path))
    return Duplicates(ordered, shots, tuple(sorted(unseen)), snapshot.root)  # type: ignore[arg-type]
