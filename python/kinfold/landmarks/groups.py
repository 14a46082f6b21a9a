"""Groups of photos of the same thing, from pairs that were verified."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_array, as_count, as_ids, as_number


@dataclass(frozen=True, eq=False)
class Group:
    """Photos of the same thing, at least two.

    members : int64 (n,), ascending
    representative : the member whose pairs within the group weigh most together
    tree : int64 (n - 1,), rows of the pairs that span the group with the largest weights, largest first
    weight : of all its pairs
    """

    members: Ids
    representative: int
    tree: Ids
    weight: float


def find_groups(
    n: int, pairs: Any, weights: Any, *, bridge: float = 0.0, copies: Any = None
) -> list[Group]:
    """Sets of photos that pairs connect, the largest first.

    n : photos, numbered from 0
    pairs : int (m, 2), photos that were found to show the same thing, each pair once
    weights : (m,) above 0, how sure that is: inliers
    bridge : two sets of at least two photos each are joined only where the pairs between them weigh this much together,
        so that one wrong pair does not make two things one; 0 for the connected components
    copies : int (n,), the first of those photos that are the same photo, itself where there is none before: they are
        one photo while sets are joined. That they hang together is for pairs to say, as of all

    Pairs are taken by descending weight (Kruskal 1956), as often as sets are still joined. Ties go to the smaller row:
    the same pairs give the same groups. Photos without any pair are in no group.
    """
    n = as_count(n, "n", least=0)
    edges, values = _checked(n, pairs, weights)
    as_number(bridge, "bridge", least=0.0)
    one = np.arange(n) if copies is None else as_ids(copies, "copies", n=n)
    if (one > np.arange(n)).any() or (one[one] != one).any():
        raise ValueError("copies: expected the first copy of each photo")
    order = np.argsort(-values, kind="stable")
    labels = _labels(n, one[edges], values, order, bridge)[one]
    inside = labels[edges[:, 0]] == labels[edges[:, 1]]
    found: dict[int, list[int]] = defaultdict(list)
    for row in order[inside[order]]:
        found[labels[edges[row, 0]]].append(row)
    groups = [_group(edges, values, rows) for rows in found.values()]
    return sorted(groups, key=lambda group: (-len(group.members), group.members[0]))


def _checked(n: int, pairs: Any, weights: Any) -> tuple[Ids, NDArray[np.float64]]:
    edges = as_array(pairs, "pairs") if np.size(pairs) else np.empty((0, 2), np.int64)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise ValueError(f"pairs: expected whole numbers (m, 2), got shape {edges.shape}")
    edges = edges.astype(np.int64)
    if len(edges) and (edges.min() < 0 or edges.max() >= n):
        raise ValueError(f"pairs: expected photos from 0 below {n}")
    if (edges[:, 0] == edges[:, 1]).any():
        raise ValueError("pairs: expected two different photos in each")
    if len(np.unique(np.sort(edges, axis=1), axis=0)) < len(edges):
        raise ValueError("pairs: expected each pair once")
    values = as_array(weights, "weights").astype(np.float64) if np.size(weights) else np.empty(0)
    if values.shape != (len(edges),):
        raise ValueError(f"weights: expected one for each of {len(edges)} pairs")
    if not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError("weights: expected finite numbers above 0")
    return edges, values


class _Sets:
    """Disjoint sets of numbers below n."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item


def _labels(
    n: int, edges: Ids, values: NDArray[np.float64], order: Ids, bridge: float
) -> NDArray[np.int64]:
    """A number for each photo, equal in a group."""
    sets, size = _Sets(n), [1] * n
    # What the pairs between two sets weigh together.
    between: list[dict[int, float]] = [defaultdict(float) for _ in range(n)]
    for (a, b), value in zip(edges.tolist(), values.tolist()):
        if a == b:
            continue
        between[a][b] += value
        between[b][a] += value
    left = [tuple(edge) for edge in edges[order].tolist()]
    while True:
        refused = []
        for a, b in left:
            to, other = sets.find(a), sets.find(b)
            if to == other:
                continue
            if min(size[to], size[other]) > 1 and between[to][other] < bridge:
                refused.append((a, b))
                continue
            if len(between[to]) < len(between[other]):
                to, other = other, to
            sets.parent[other] = to
            size[to] += size[other]
            for third, value in between[other].items():
                del between[third][other]
                if third != to:
                    between[to][third] += value
                    between[third][to] += value
            between[other].clear()
        # Sets that have grown since may now be joined.
        if len(refused) == len(left):
            break
        left = refused
    return np.array([sets.find(item) for item in range(n)], np.int64)


def _group(edges: Ids, values: NDArray[np.float64], rows: list[int]) -> Group:
    """From the rows of a group's pairs, by descending weight."""
    members, ends = np.unique(edges[rows], return_inverse=True)
    ends = ends.reshape(-1, 2)
    strength = np.bincount(ends.ravel(), weights=np.repeat(values[rows], 2), minlength=len(members))
    sets, tree = _Sets(len(members)), []
    for row, (a, b) in zip(rows, ends.tolist()):
        to, other = sets.find(a), sets.find(b)
        if to != other:
            sets.parent[other] = to
            tree.append(row)
    return Group(
        members,
        int(members[strength.argmax()]),
        np.array(tree, np.int64),
        float(values[rows].sum()),
    )
