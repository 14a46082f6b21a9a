"""What verified matches tell of a collection's photos: clusters, and points that pairs have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_count, as_ids
from kinfold.landmarks.groups import find_groups
from kinfold.learn.covisible import CoVisible
from kinfold.local.match_graph import MatchGraph


def covisible(
    graph: MatchGraph,
    *,
    least_inliers: int = 12,
    bridge: float = 24.0,
    doubtful: int = 6,
    copies: Any = None,
) -> CoVisible:
    """Clusters without labels: the groups that verified matches make, as ``Gallery.groups`` finds them.

    The points that a photo sees are its features that lie in verified matches; two photos have the inliers of their
    pair in common. Copies are in the cluster of the first, and in no pair.

    least_inliers : of a confirmed pair
    bridge : see landmarks.groups.find_groups
    doubtful : pairs of so many inliers, not within one cluster, are no negatives
    copies : int (n,), of each photo the first that is the same; None to tell them by their digests
    """
    doubt = as_count(doubtful, "doubtful")
    rows = graph.confirmed(least_inliers)
    n, ends, inliers = len(graph), graph.tried[rows], graph.inliers
    first = _first(graph.digests) if copies is None else as_ids(copies, "copies", n=n)
    later = np.flatnonzero(first != np.arange(n))
    joined = np.unique(np.concatenate([ends, np.column_stack([first[later], later])]), axis=0)
    weights = np.full(len(joined), float(inliers.max(initial=1)))
    known = graph.rows_of(joined)
    weights[known >= 0] = np.maximum(inliers[known[known >= 0]], 1)
    clusters = np.full(n, -1)
    for number, group in enumerate(find_groups(n, joined, weights, bridge=bridge, copies=first)):
        clusters[group.members] = number
    one = first == np.arange(n)
    inside = (clusters[ends[:, 0]] == clusters[ends[:, 1]]) & one[ends].all(axis=1)
    kept = rows[inside]
    tried = graph.tried
    apart = clusters[tried[:, 0]] != clusters[tried[:, 1]]
    apart |= (clusters[tried] < 0).any(axis=1)
    return CoVisible(
        clusters, tried[kept], inliers[kept], _points(graph, kept), _scales(graph, kept),
        unsure=tried[apart & (inliers >= doubt)],
    )  # fmt: skip


def _first(digests: NDArray[np.uint8]) -> Ids:
    """Of each photo the first with the same digest, int64 (n,); zeros are no digest."""
    _, where, of = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    none = ~digests.any(axis=1)
    return np.where(none, np.arange(len(digests)), where[of.reshape(-1)])


def _points(graph: MatchGraph, rows: Ids) -> Ids:
    """How many different features of each photo lie in these pairs."""
    places = [np.empty((0, 3))]
    for row in rows.tolist():
        points = graph.points_of(row)
        for photo, xy in zip(graph.tried[row].tolist(), (points[:, :2], points[:, 2:])):
            places.append(np.column_stack([np.full(len(xy), photo), xy]))
    owner = np.unique(np.concatenate(places), axis=0)[:, 0].astype(np.int64)
    return np.bincount(owner, minlength=len(graph))


def _scales(graph: MatchGraph, rows: Ids) -> NDArray[np.float64]:
    """How many times larger the middle of what a pair has in common is in the second, photos seen equally large."""
    scales = np.empty(len(rows))
    for at, row in enumerate(rows.tolist()):
        matrix = graph.maps[row]
        middle = graph.points_of(row)[:, :2].mean(axis=0)
        # The area by which a projective map grows what is there.
        depth = matrix[2] @ (*middle, 1.0)
        scales[at] = np.sqrt(abs(np.linalg.det(matrix) / depth**3))
    longer = graph.sizes[graph.tried[rows]].max(axis=2)
    return scales * longer[:, 0] / longer[:, 1]
