"""Which photos of a gallery show the same thing: pairs that geometry confirms, and the groups that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids
from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Snapshot
from kinfold.gallery.segments import Segments
from kinfold.landmarks.groups import Group, find_groups
from kinfold.local.match_graph import MatchGraph
from kinfold.local.verify import outline, project

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


def groups_of(
    snapshot: Snapshot,
    graph: MatchGraph,
    first: Ids,
    wanted: Ids,
    *,
    least_inliers: int,
    bridge: float,
) -> list[PhotoGroup]:
    """The groups of a gallery's photos; see ``Gallery.groups``.

    first, wanted : of ``joined_by_graph``; pairs that are known besides do not count, so that the same photos give the
        same groups whatever was asked before
    """
    photos = {photo.id: photo for photo in snapshot.table.described()}
    ids = [int(id) for id in snapshot.ids]

    def photo(position: int) -> Photo:
        return photos[ids[position]]

    places = graph.places(snapshot.ids)[wanted]
    known = np.flatnonzero((places >= 0).all(axis=1))
    rows = graph.rows_of(places[known])
    enough = graph.inliers[rows] >= least_inliers
    copies = [(int(first[at]), int(at)) for at in np.flatnonzero(first != np.arange(len(ids)))]
    ends = np.concatenate([wanted[known][enough], np.array(copies, np.int64).reshape(-1, 2)])
    pairs = [_pair(graph, row) for row in rows[enough].tolist()]
    pairs += _copies([(photo(a), photo(b)) for a, b in copies], snapshot.segments)
    return _grouped(photo, first, ends, pairs, bridge)


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


def _pair(graph: MatchGraph, row: int) -> Pair:
    """A confirmed pair."""
    ends, matrix = graph.tried[row], graph.maps[row]
    sizes, matches = graph.sizes[ends], graph.points_of(row).astype(np.float64)
    box = outline((0.0, 0.0, *sizes[0]), matrix)
    moved = np.abs(box / sizes[1] - [[0, 0], [1, 0], [1, 1], [0, 1]]).max()
    same = moved <= _NEARLY_STILL and len(matches) >= _NEARLY_ALL * graph.matched[row]
    first, second = graph.ids[ends].tolist()
    return Pair(first, second, len(matches), matrix, sizes, matches, bool(same))


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
