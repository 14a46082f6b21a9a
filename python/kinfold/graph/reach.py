"""How far a flow should reach, told by the graph alone: how many neighbours, and the share that flows on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfold.base.arrays import as_count, as_number
from kinfold.graph.communities import communities
from kinfold.graph.knn import KNNGraph

# Of lists of neighbours that are tried, shortest first.
LENGTHS = (5, 10, 20, 50)
_MOST = 0.99


def suited_alpha(graph: KNNGraph, *, seed: int = 0) -> float:
    """The alpha by which a walk is expected to stop where it would leave its community: 1 - phi.

    phi : the share of the graph's weight between communities (`graph.communities`), which is how often a step of the
        walk leaves one; a walk that goes on with alpha takes 1 / (1 - alpha) steps
    Returns 0 to 0.99.
    """
    groups = communities(graph, seed=seed)
    rows = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    weights = graph.weights.astype(np.float64)
    whole = weights.sum()
    if not whole:
        return 0.0
    leaving = weights[groups[rows] != groups[graph.neighbours]].sum() / whole
    return float(min(1 - leaving, _MOST))


def suited_graph(
    similarities: Any,
    ids: Any = None,
    *,
    lengths: Sequence[int] = LENGTHS,
    alone: float = 0.05,
    gamma: float = 3.0,
) -> KNNGraph:
    """The graph of the shortest lists of neighbours by which nearly all items have a mutual neighbour.

    similarities, ids : lists of neighbours as ``KNNGraph.from_neighbours`` takes them
    lengths : what is tried, ascending; what lists do not hold is passed over
    alone : the share of items that may stay without an edge; the longest lists where none does
    Short lists keep different things apart, too short ones leave items out.
    """
    if not len(lengths):
        raise ValueError("lengths: expected at least one")
    tried = sorted(as_count(k, "lengths") for k in lengths)
    alone = as_number(alone, "alone", least=0, most=1)
    for k in tried:
        graph = KNNGraph.from_neighbours(similarities, ids, k=k, gamma=gamma)
        if np.mean(np.diff(graph.starts) == 0) <= alone:
            break
    return graph
