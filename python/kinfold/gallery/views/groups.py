"""Which photos of a gallery show the same thing: pairs that geometry confirms, and the groups that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids
from kinfold.base.local_features import LocalFeatures
from kinfold.base.progress import progress
from kinfold.gallery.copies import first_photos
from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Snapshot
from kinfold.gallery.segments import Segments
from kinfold.gallery.threads import in_threads
from kinfold.graph.knn import KNNGraph
from kinfold.landmarks.groups import Group, find_groups
from kinfold.local.match import Prepared, match, prepare
from kinfold.local.verify import Verification, outline, project, verify_many

# Photos whose prepared features are kept at hand: less than a megabyte each.
_KEPT = 128
# Near-duplicates: this share of the matches agrees, and corners move by less than this share of the photo's sides.
_NEARLY_ALL = 0.7
_NEARLY_STILL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two photos that show the same thing, as geometry has confirmed.

    first, second : the photos' ids
    matrix : float64 (3, 3), pixels of the first upright original to those of the second
    sizes : float64 (2, 2), width and height of both
    matches : float64 (m, 4), x and y in the first, x and y in the second, of the inliers
    near_duplicate : nearly all matches agree that nearly nothing has moved
    """

    first: int
    second: int
    inliers: int
    matrix: NDArray[np.float64]
    sizes: NDArray[np.float64]
    matches: NDArray[np.float64]
    near_duplicate: bool
    rejected: ClassVar[None] = None

    @property
    def box(self) -> NDArray[np.float64]:
        """The first photo's frame in the second, float64 (4, 2)."""
        return outline((0.0, 0.0, *self.sizes[0]), self.matrix)

    def turned(self) -> Pair:
        """The same from the second photo to the first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            sizes=self.sizes[::-1],
            matrix=np.linalg.inv(self.matrix).astype(np.float64),
            matches=self.matches[:, [2, 3, 0, 1]],
        )


@dataclass(frozen=True)
class PhotoGroup:
    """Photos of the same thing.

    photos : the representative first, then as the links lead to them
    links : the strongest pairs that span the group: links[i] leads from one of photos[:i + 1] to photos[i + 1]
    pairs : all that were confirmed within the group
    """

    photos: tuple[Photo, ...]
    links: tuple[Pair, ...]
    pairs: tuple[Pair, ...]

    @property
    def representative(self) -> Photo:
        """The photo with most confirmed matches to the others."""
        return self.photos[0]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        path = {photo.id: photo.path for photo in self.photos}
        return {
            "representative": self.representative.path,
            "photos": [photo.path for photo in self.photos],
            "links": [[path[link.first], path[link.second]] for link in self.links],
            "pairs": [
                {
                    "first": path[pair.first],
                    "second": path[pair.second],
                    "inliers": pair.inliers,
                    "near_duplicate": pair.near_duplicate,
                    "matrix": pair.matrix.tolist(),
                }
                for pair in self.pairs
            ],
        }


class _Verified(NamedTuple):
    """A confirmed pair of positions, and how many correspondences were looked at."""

    first: int
    second: int
    verification: Verification
    matches: int


def candidates(graph: KNNGraph) -> Ids:
    """The graph's edges, positions (m, 2), the first below the second."""
    first = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    pairs = np.column_stack([first, graph.neighbours.astype(np.int64)])
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _wanted(graph: KNNGraph, first: Ids, present: Ids) -> Ids:
    """The pairs of different photos to look at: what the graph joins, copies as their first.

    Where lists of neighbours hold all photos, all pairs: the graph leaves out what has nothing in common by an engine's
    account, and in a small collection that may be anything.
    """
    distinct = np.unique(first[present])
    if len(distinct) <= graph.k + 1:
        return distinct[np.column_stack(np.triu_indices(len(distinct), 1))]
    edges = candidates(graph)
    pairs = np.sort(first[edges[np.isin(edges, present).all(axis=1)]], axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def groups_of(
    snapshot: Snapshot, *, least_inliers: int, bridge: float, verbose: bool
) -> list[PhotoGroup]:
    """The groups of a gallery's photos; see ``Gallery.groups``."""
    photos = {photo.id: photo for photo in snapshot.table.described()}
    segments, graph = snapshot.segments, snapshot.parts.graph
    ids = [int(id) for id in snapshot.ids]

    def photo(position: int) -> Photo:
        return photos[ids[position]]

    present = np.flatnonzero([id in photos for id in ids])
    first = np.arange(len(ids))
    first[present] = present[first_photos([photo(at) for at in present.tolist()], segments)]
    confirmed = _confirmed(
        _wanted(graph, first, present),
        lambda position: segments.features(photo(position)),
        least_inliers,
        verbose,
    )
    copies = [(int(first[at]), int(at)) for at in np.flatnonzero(first != np.arange(len(ids)))]
    ends = np.array([(one.first, one.second) for one in confirmed] + copies, np.int64)
    pairs = [_pair(photo(one.first), photo(one.second), one, segments) for one in confirmed]
    pairs += _copies([(photo(a), photo(b)) for a, b in copies], segments)
    return _grouped(photo, first, ends.reshape(-1, 2), pairs, bridge)


def _confirmed(
    wanted: Ids, get_features: Callable[[int], LocalFeatures], least_inliers: int, verbose: bool
) -> list[_Verified]:
    """Those of the wanted pairs of positions, sorted by their first, that geometry confirms."""
    features = lru_cache(_KEPT)(get_features)

    @lru_cache(_KEPT)
    def prepared(position: int) -> Prepared:
        return prepare(features(position))

    def verified(first: int) -> list[_Verified]:
        begin, end = np.searchsorted(wanted[:, 0], [first, first + 1])
        seconds = wanted[begin:end, 1].tolist()
        matches = [match(prepared(first), prepared(second)) for second in seconds]
        verifications = verify_many(features(first), [features(s) for s in seconds], matches)
        return [
            _Verified(first, second, verification, len(matched))
            for second, verification, matched in zip(seconds, verifications, matches)
            if verification.inliers >= least_inliers
        ]

    confirmed: list[_Verified] = []
    firsts = np.unique(wanted[:, 0]).tolist()
    with progress((), "verify", verbose=verbose, total=len(firsts)) as bar:
        for at in range(0, len(firsts), _KEPT):
            for several in in_threads(verified, firsts[at : at + _KEPT]):
                confirmed += several
            bar.update(min(_KEPT, len(firsts) - at))
    return confirmed


def _grouped(
    photo: Callable[[int], Photo], first: Ids, ends: Ids, pairs: Sequence[Pair], bridge: float
) -> list[PhotoGroup]:
    """The groups that confirmed pairs make; ``ends`` are the pairs' positions (m, 2)."""
    # A photo without any feature has none in common with its copy, and is the same.
    weights = np.array([max(pair.inliers, 1) for pair in pairs], np.float64)
    groups = find_groups(len(first), ends, weights, bridge=bridge, copies=first)
    owner = np.full(len(first), -1)
    for number, group in enumerate(groups):
        owner[group.members] = number
    inside: list[list[Pair]] = [[] for _ in groups]
    for (a, b), pair in zip(ends.tolist(), pairs):
        if owner[a] == owner[b] >= 0:
            inside[owner[a]].append(pair)
    walks = [_walk(group, ends) for group in groups]
    return [
        PhotoGroup(tuple(map(photo, order)), tuple(pairs[row] for row in links), tuple(within))
        for (order, links), within in zip(walks, inside)
    ]


def _copies(photos: Sequence[tuple[Photo, Photo]], segments: Segments) -> list[Pair]:
    """Photos that are the same, the first and its copy: all that is found in one is in the other, at its place."""
    frames: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for photo, _ in photos:
        if photo.id not in frames:
            size, grow = _frame(photo, segments)
            places = project(segments.features(photo).positions, grow)
            frames[photo.id] = np.stack([size, size]), np.hstack([places, places])
    return [
        Pair(photo.id, copy.id, len(frames[photo.id][1]), np.eye(3), *frames[photo.id], True)
        for photo, copy in photos
    ]


def _frame(photo: Photo, segments: Segments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width and height of the upright original, and the map (3, 3) to it from the pixels that were described."""
    width, height, described_width, described_height = segments.frame(photo)
    grow = np.diag([width / described_width, height / described_height, 1.0])
    return np.array([width, height], np.float64), grow


def _pair(first: Photo, second: Photo, one: _Verified, segments: Segments) -> Pair:
    """A confirmed pair in pixels of the upright originals."""
    sizes, scales = zip(*(_frame(photo, segments) for photo in (first, second)))
    size = np.stack(sizes)
    matrix = scales[1] @ one.verification.matrix @ np.linalg.inv(scales[0])
    points = [
        project(segments.features(photo).positions[one.verification.pairs[:, side]], scales[side])
        for side, photo in enumerate((first, second))
    ]
    box = outline((0.0, 0.0, *size[0]), matrix)
    moved = np.abs(box / size[1] - [[0, 0], [1, 0], [1, 1], [0, 1]]).max()
    same = moved <= _NEARLY_STILL and one.verification.inliers >= _NEARLY_ALL * one.matches
    return Pair(
        first.id, second.id, one.verification.inliers, matrix, size, np.hstack(points), bool(same)
    )


def _walk(group: Group, ends: Ids) -> tuple[list[int], list[int]]:
    """The members from the representative on, each by the strongest link of the tree that leads on; and those links."""
    at: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for rank, row in enumerate(group.tree.tolist()):
        for end in ends[row].tolist():
            at[end].append((rank, row))
    order, links, reached = [group.representative], [], {group.representative}
    ahead = list(at[group.representative])
    heapify(ahead)
    while ahead:
        _, row = heappop(ahead)
        for end in ends[row].tolist():
            if end not in reached:
                reached.add(end)
                order.append(end)
                links.append(row)
                for way in at[end]:
                    heappush(ahead, way)
    return order, links
