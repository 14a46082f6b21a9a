"""Which photos of a gallery show the same thing: pairs that geometry confirms, and the groups that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids
from kinfold.base.local_features import LocalFeatures
from kinfold.base.progress import progress
from kinfold.gallery.photos import Photo
from kinfold.gallery.state import Segments, State
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

    @property
    def box(self) -> NDArray[np.float64]:
        """The first photo's frame in the second, float64 (4, 2)."""
        return outline((0.0, 0.0, *self.sizes[0]), self.matrix)

    def turned(self) -> Pair:
        """The same from the second photo to the first."""
        return replace(
            self, first=self.second, second=self.first, sizes=self.sizes[::-1],
            matrix=np.linalg.inv(self.matrix).astype(np.float64), matches=self.matches[:, [2, 3, 0, 1]],
        )  # fmt: skip


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
                    "first": path[pair.first], "second": path[pair.second], "inliers": pair.inliers,
                    "near_duplicate": pair.near_duplicate, "matrix": pair.matrix.tolist(),
                }
                for pair in self.pairs
            ],
        }  # fmt: skip


class _Verified(NamedTuple):
    """A confirmed pair of positions, and how many correspondences were looked at."""

    first: int
    second: int
    found: Verification
    matches: int


def candidates(graph: KNNGraph) -> Ids:
    """The graph's edges, positions (m, 2), the first below the second."""
    first = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    pairs = np.column_stack([first, graph.neighbours.astype(np.int64)])
    return pairs[pairs[:, 0] < pairs[:, 1]]


def groups_of(
    state: State,
    segments: Segments,
    photos: Mapping[int, Photo],
    run: Callable[[Callable[[int], list[_Verified]], list[int]], list[list[_Verified]]],
    *,
    least_inliers: int,
    bridge: float,
    verbose: bool,
) -> list[PhotoGroup]:
    """The groups of a gallery's photos; see ``Gallery.groups``. ``run`` maps a function over items, in threads."""
    ids = [int(id) for id in state.ids]
    wanted = candidates(state.graph)
    wanted = wanted[np.array([id in photos for id in ids], bool)[wanted].all(axis=1)]

    @lru_cache(_KEPT)
    def features(position: int) -> LocalFeatures:
        return segments.features(photos[ids[position]])

    @lru_cache(_KEPT)
    def prepared(position: int) -> Prepared:
        return prepare(features(position))

    def verified(first: int) -> list[_Verified]:
        seconds = wanted[wanted[:, 0] == first, 1].tolist()
        tried = [match(prepared(first), prepared(second)) for second in seconds]
        found = verify_many(features(first), [features(second) for second in seconds], tried)
        return [
            _Verified(first, second, one, len(matches))
            for second, one, matches in zip(seconds, found, tried)
            if one.inliers >= least_inliers
        ]

    kept: list[_Verified] = []
    firsts = np.unique(wanted[:, 0]).tolist()
    with progress((), "verify", verbose=verbose, total=len(firsts)) as bar:
        for at in range(0, len(firsts), _KEPT):
            for several in run(verified, firsts[at : at + _KEPT]):
                kept += several
            bar.update(min(_KEPT, len(firsts) - at))

    ends = np.array([(one.first, one.second) for one in kept], np.int64).reshape(-1, 2)
    inliers = np.array([one.found.inliers for one in kept], np.float64)
    pairs = [
        _pair(photos[ids[a]], photos[ids[b]], one, segments) for one, (a, b) in zip(kept, ends)
    ]
    groups = []
    for group in find_groups(len(ids), ends, inliers, bridge=bridge):
        inside = np.flatnonzero(np.isin(ends, group.members).all(axis=1))
        order, links = _walk(group, ends)
        groups.append(
            PhotoGroup(
                tuple(photos[ids[position]] for position in order),
                tuple(pairs[row] for row in links),
                tuple(pairs[row] for row in inside),
            )
        )
    return groups


def _pair(first: Photo, second: Photo, one: _Verified, segments: Segments) -> Pair:
    """A confirmed pair in pixels of the upright originals."""
    scales, sizes = [], []
    for photo in (first, second):
        width, height, described_width, described_height = segments.frame(photo)
        scales.append(np.diag([width / described_width, height / described_height, 1.0]))
        sizes.append(np.array([width, height], np.float64))
    size = np.stack(sizes)
    matrix = scales[1] @ one.found.matrix @ np.linalg.inv(scales[0])
    points = [
        project(segments.features(photo).positions[one.found.pairs[:, side]], scales[side])
        for side, photo in enumerate((first, second))
    ]
    box = outline((0.0, 0.0, *size[0]), matrix)
    moved = np.abs(box / size[1] - [[0, 0], [1, 0], [1, 1], [0, 1]]).max()
    same = moved <= _NEARLY_STILL and one.found.inliers >= _NEARLY_ALL * one.matches
    return Pair(first.id, second.id, one.found.inliers, matrix, size, np.hstack(points), bool(same))


def _walk(group: Group, ends: Ids) -> tuple[list[int], list[int]]:
    """The members from the representative on, each by the strongest link of the tree that leads on; and those links."""
    order, links, left = [group.representative], [], group.tree.tolist()
    while left:
        for row in left:
            a, b = ends[row].tolist()
            if (a in order) != (b in order):
                order.append(b if a in order else a)
                links.append(row)
                left.remove(row)
                break
    return order, links
