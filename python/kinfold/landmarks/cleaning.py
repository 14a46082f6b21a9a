"""Classes of photos as people collected them, cleaned by geometry: what hangs together shows the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_array, as_count, as_ids, as_number
from kinfold.landmarks.groups import find_groups

# What a photo may be; see Cleaning.
STATES = ("prototypical", "kept", "left out", "copy")
PROTOTYPICAL, KEPT, LEFT_OUT, COPY = range(4)


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What became of each photo of some classes.

    states : int8 (n,), into STATES. "prototypical": of its class's largest component, and matched with at least half
        as many photos as the one in it that is matched with most; "kept": of that component, but less well connected;
        "left out": matched with none of these; "copy": the same photo as one before it, which stands for both
    labels : int64 (n,), the classes
    matched : int64 (n,), with how many photos of its class each is matched, copies counted once
    components : int64 (n,), which set of matched photos of its class, from 0, the largest; -1 for those of none
    sizes : int64 (c,), photos of each set of each class, the largest first: single photos are sets of one
    """

    states: NDArray[np.int8]
    labels: Ids
    matched: Ids
    components: Ids
    sizes: Ids

    @property
    def kept(self) -> Ids:
        """Rows of the photos to learn from: those of the largest components."""
        return np.flatnonzero(self.states <= KEPT)

    @property
    def dropped(self) -> Ids:
        """The classes of which nothing is kept: no two of their photos match."""
        return np.setdiff1d(self.labels, self.labels[self.kept])

    def histogram(self) -> dict[int, int]:
        """Size of a component -> how many there are."""
        sizes, counts = np.unique(self.sizes, return_counts=True)
        return dict(zip(sizes.tolist(), counts.tolist()))


def clean_classes(
    labels: Any,
    pairs: Any,
    inliers: Any,
    *,
    least_inliers: int = 12,
    copies: Any = None,
    prototypical: float = 0.5,
) -> Cleaning:
    """Keep of each class the largest set of photos that matches connect.

    labels : int (n,), the class of each photo
    pairs : int (m, 2), photos that were matched, each pair once; those of two classes are not looked at
    inliers : (m,), features on which their geometry agrees
    least_inliers : for a pair to count
    copies : int (n,), the first of those photos that are the same photo, itself where there is none before. A copy
        matches its original perfectly whatever it shows: without this a wrong photo that is there thrice is a component
    prototypical : share of the matches of the best connected photo, from which on one is prototypical

    Of sets alike in size that with more inliers is kept, then that with the smaller row. A class of which no two photos
    match is dropped. Gordo, Almazan, Revaud & Larlus, ECCV 2016, section 3.4, where all that is kept is called
    prototypical; the half is ours, for people who look at the outcome.
    """
    of = as_ids(labels, "labels")
    n = len(of)
    least = as_count(least_inliers, "least_inliers")
    share = as_number(prototypical, "prototypical", least=0, most=1)
    first = np.arange(n) if copies is None else as_ids(copies, "copies", n=n)
    if (first > np.arange(n)).any() or (first[first] != first).any():
        raise ValueError("copies: expected the first copy of each photo")
    first = _within_classes(first, of)
    edges, weights = _edges(pairs, inliers, n, least, of, first)
    degree = np.bincount(edges.ravel(), minlength=n)
    copy = first != np.arange(n)

    states = np.full(n, LEFT_OUT, np.int8)
    states[copy] = COPY
    component = np.full(n, -1, np.int64)
    groups = sorted(
        find_groups(n, edges, weights),
        key=lambda group: (-len(group.members), -group.weight, group.members[0]),
    )
    seen: dict[int, int] = {}
    for group in groups:
        members, label = group.members, int(of[group.members[0]])
        component[members] = seen.setdefault(label, 0)
        if not seen[label]:
            strong = degree[members] >= share * degree[members].max()
            states[members] = np.where(strong, PROTOTYPICAL, KEPT)
        seen[label] += 1
    alone = np.count_nonzero((component < 0) & ~copy)
    sizes = np.array([len(group.members) for group in groups] + [1] * alone, np.int64)
    component[copy] = component[first[copy]]
    return Cleaning(states, of, degree[first], component, sizes)


def _within_classes(first: Ids, of: Ids) -> Ids:
    """A photo that two classes have is one of each: copies are those of a class alone."""
    keys, inverse = np.unique(np.stack([first, of]), axis=1, return_inverse=True)
    head = np.full(keys.shape[1], len(of))
    np.minimum.at(head, inverse.ravel(), np.arange(len(of)))
    return head[inverse.ravel()]


def _edges(
    pairs: Any, inliers: Any, n: int, least: int, of: Ids, first: Ids
) -> tuple[Ids, NDArray[np.float64]]:
    """Pairs of firsts of one class that count, each once with its largest number of inliers."""
    given = np.asarray(pairs)
    if not given.size:
        return np.empty((0, 2), np.int64), np.empty(0)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise ValueError(f"pairs: expected whole numbers (m, 2), got shape {given.shape}")
    if given.min() < 0 or given.max() >= n:
        raise ValueError(f"pairs: expected photos from 0 below {n}")
    counts = as_array(inliers, "inliers").astype(np.float64)
    if counts.shape != (len(given),) or not np.isfinite(counts).all():
        raise ValueError(f"inliers: expected a number for each of {len(given)} pairs")
    ends = np.sort(first[given], axis=1)
    use = (counts >= least) & (of[given[:, 0]] == of[given[:, 1]]) & (ends[:, 0] < ends[:, 1])
    edges, inverse = np.unique(ends[use], axis=0, return_inverse=True)
    weights = np.zeros(len(edges))
    np.maximum.at(weights, inverse.ravel(), counts[use])
    return edges.reshape(-1, 2).astype(np.int64), weights
