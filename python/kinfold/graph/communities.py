"""Groups of a collection: what hangs together in a neighbour graph, and how closely.

All functions number groups from 0 by their smallest nodes, so that equal groupings have equal labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, as_array, as_count, as_number
from kinfold.base.offered import call_by_name
from kinfold.graph.knn import KNNGraph


def connected_components(graph: KNNGraph, *, least: float = 0.0) -> Ids:
    """The component of each node: all that can be reached from it along edges.

    least : edges of a smaller similarity are not followed
    Returns int64 (n,). A node without edges is a component of its own.
    """
    # An edge's similarity is known by its power alone.
    weight = np.float32(as_number(least, "least", least=0)) ** np.float32(graph.gamma)
    labels: Ids = _core.graph.components(*_arrays(graph), float(weight))
    return labels


def communities(graph: KNNGraph, *, resolution: float = 1.0, seed: int = 0) -> Ids:
    """Groups with more weight within than expected by chance: modularity, by the Leiden algorithm.

    resolution : above 1 more and smaller groups, below 1 fewer and larger
    seed : of the order in which nodes are visited; nothing else is random, threads do not matter
    Returns int64 (n,). Every group is connected; a node without edges is alone.
    Traag, Waltman & van Eck, Scientific Reports 2019.
    """
    resolution = as_number(resolution, "resolution", least=0)
    seed = as_count(seed, "seed", least=0)
    labels: Ids = _core.graph.communities(*_arrays(graph), resolution, seed)
    return labels


def modularity(graph: KNNGraph, labels: Any, *, resolution: float = 1.0) -> float:
    """The share of the edges' weight within groups, less the share expected at random.

    labels : int64 (n,)    the group of each node, from 0 to n - 1
    Newman & Girvan, Physical Review E 2004; with the resolution of Reichardt & Bornholdt 2006.
    """
    groups = as_array(labels, "labels")
    if groups.shape != (len(graph),) or groups.dtype.kind not in "iu":
        raise ValueError(
            f"labels: expected whole numbers ({len(graph)},), one a node, "
            f"got {groups.dtype} of shape {groups.shape}"
        )
    resolution = as_number(resolution, "resolution", least=0)
    value: float = _core.graph.modularity(
        *_arrays(graph), np.ascontiguousarray(groups, np.int64), resolution
    )
    return value


def members(labels: Any, *, least: int = 2) -> list[Ids]:
    """The nodes of each group of at least ``least``, ascending; the largest group first.

    labels : int64 (n,)    as of connected_components or communities
    """
    groups = as_array(labels, "labels")
    if groups.ndim != 1 or groups.dtype.kind not in "iu":
        raise ValueError(
            f"labels: expected whole numbers (n,), got {groups.dtype} of shape {groups.shape}"
        )
    least = as_count(least, "least")
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    found = [part for part in np.split(order, cuts) if len(part) >= least]
    return sorted(found, key=lambda part: (-len(part), int(part[0])))


def _arrays(graph: KNNGraph) -> tuple[Ids, NDArray[np.int32], NDArray[np.float32]]:
    return graph.starts, graph.neighbours, graph.weights


call_by_name(__name__)
