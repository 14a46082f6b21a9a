"""Mining on manifolds: positives that only the manifold shows to be near, negatives that only space does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_ids, as_vectors
from kinfold.graph.communities import connected_components, members
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.flow import as_graph, largest
from kinfold.graph.knn import KNNGraph
from kinfold.index.flat import FlatIndex

COMPONENTS = ("largest", "all")
# Anchors whose diffusion runs at once.
_BLOCK = 32
# Negatives are sought among at most so many neighbours.
_MOST_NEAR = 10_000


@dataclass(frozen=True)
class ManifoldSets:
    """What is near each of m anchors by distance, and by the manifold. Rows of items, -1 past the end of a list.

    anchors : int64 (m,), by falling stationary probability
    euclidean : int64 (m, k_pos), E(x), the nearest by distance
    manifold : int64 (m, k_pos), M(x), the most similar by diffusion
    positives : int64 (m, most), M without E, by falling manifold similarity
    similarities : float32 (m, most), that of the positives; 0 past the end
    negatives : int64 (m, most), E without M where both hold k_neg items, by rising distance
    """

    anchors: Ids
    euclidean: Ids
    manifold: Ids
    positives: Ids
    similarities: Vectors
    negatives: Ids

    def __len__(self) -> int:
        return len(self.anchors)

    def precision(self, labels: ArrayLike) -> tuple[float, float]:
        """The share of positives that are of their anchor's class, and of negatives that are not; NaN of none.

        labels : int (n,)    classes of all items
        """
        classes = as_ids(labels, "labels")
        if len(self) and max(self.anchors.max(), self.euclidean.max()) >= len(classes):
            raise ValueError(f"labels: expected one for each item, got {len(classes)}")
        shares = []
        for rows, same in ((self.positives, True), (self.negatives, False)):
            right = (classes[rows] == classes[self.anchors][:, None]) == same
            there = rows >= 0
            shares.append(float(right[there].mean()) if there.any() else float("nan"))
        return shares[0], shares[1]


def mine_on_manifold(
    x: ArrayLike,
    *,
    graph: KNNGraph | None = None,
    k: int = 30,
    gamma: float = 3.0,
    metric: str = "cosine",
    components: str = "largest",
    anchors: int | None = 1500,
    k_pos: int = 50,
    k_neg: int | None = None,
    most: int = 50,
    alpha: float = 0.99,
    iterations: int = 20,
) -> ManifoldSets:
    """Hard positives and hard negatives of some anchors, without labels.

    Iscen, Tolias, Avrithis & Chum, CVPR 2018. Anchors are the modes of the collection. Of each, E holds the k nearest
    others by distance, M the k most similar by diffusion from it. Positives are M without E: near along the manifold,
    far in space. Negatives are E without M, where M must be large enough to hold all of the anchor's own class: what
    is near in space, and by no chain of neighbours.

    x : float32 (n, d)
    graph : of these items; None for the reciprocal one of the k nearest by cosine, similarities to the power gamma
    metric : of E: "cosine", "ip" or "l2"
    components : "largest" of the graph, to which all else is confined; or "all": anchors, and what is near them, may
        be anywhere, and whatever an anchor does not reach counts as far along the manifold
    anchors : at most so many, of the largest stationary probability; None for every item, not the modes alone
    k_pos : items of E and M that positives come from
    k_neg : items of E and M that negatives come from; no fewer than an anchor's class has, else they are of its class.
        None for half of all items, 10,000 at most
    most : positives, and negatives, of an anchor
    alpha, iterations : of graph.Diffusion
    Raises ValueError where no two items are joined.
    """
    vectors = as_vectors(x, "x")
    where = as_choice(components, "components", COMPONENTS)
    k_pos, most = as_count(k_pos, "k_pos"), as_count(most, "most")
    graph = KNNGraph(k, gamma=gamma).fit(vectors) if graph is None else as_graph(graph)
    if len(graph) != len(vectors):
        raise ValueError(f"graph: expected {len(vectors)} nodes, one an item, got {len(graph)}")
    nodes = _joined(graph, where)
    half = min(max(len(nodes) // 2, 1), _MOST_NEAR)
    k_neg = half if k_neg is None else as_count(k_neg, "k_neg")
    if anchors is None:
        chosen = nodes[graph.degrees()[nodes] > 0]
    else:
        modes = find_anchors(graph)
        chosen = modes[np.isin(modes, nodes)][: as_count(anchors, "anchors")]
    wide = max(k_pos, k_neg)
    near = _nearest(vectors, nodes, chosen, wide, metric)
    flow = Diffusion(graph, alpha=alpha, iterations=iterations)
    sets = _Sets(len(chosen), k_pos, most)
    for first in range(0, len(chosen), _BLOCK):
        block = chosen[first : first + _BLOCK]
        scores = flow.scores(np.ones((len(block), 1), np.float32), block[:, None])
        for row, (anchor, reached) in enumerate(zip(block, scores), first):
            reached[anchor] = 0
            order = largest(reached, wide)
            sets.fill(row, near[row], order[reached[order] > 0], reached, k_neg)
    return ManifoldSets(
        chosen, sets.euclidean, sets.manifold, sets.positives, sets.similarities, sets.negatives
    )


def stationary_distribution(graph: KNNGraph) -> NDArray[np.float64]:
    """Where a random walk over a graph is found in the end, float64 (n,): degrees, divided by their sum.

    Of a symmetric graph the walk with probabilities D^-1 W has this distribution, without iterating (in a connected
    part, by its share of all edges). Raises ValueError for a graph without edges.
    """
    degrees = as_graph(graph).degrees()
    total = degrees.sum()
    if not total > 0:
        raise ValueError("graph: expected some items that are joined, got no edge")
    probabilities: NDArray[np.float64] = degrees / total
    return probabilities


def find_anchors(graph: KNNGraph) -> Ids:
    """The modes: nodes of larger stationary probability than all of their neighbours. int64 (m,), the largest first.

    Equal neighbours are none. Copies are one item, of which the first stands for all.
    Iscen, Tolias, Avrithis & Chum, CVPR 2018, section 4.1.
    """
    items = as_graph(graph).items()[0]
    of = stationary_distribution(items)
    rows = np.repeat(np.arange(len(items)), np.diff(items.starts))
    highest = np.zeros(len(items))
    np.maximum.at(highest, rows, of[items.neighbours])
    modes = np.flatnonzero(of > highest)
    modes = modes[np.argsort(-of[modes], kind="stable")]
    if graph.copies is not None:
        modes = np.flatnonzero(graph.copies == np.arange(len(graph)))[modes]
    return modes.astype(np.int64)


class _Sets:
    """The lists of all anchors while they are filled."""

    def __init__(self, m: int, k_pos: int, most: int) -> None:
        self.k_pos, self.most = k_pos, most
        self.euclidean = np.full((m, k_pos), -1, np.int64)
        self.manifold = np.full((m, k_pos), -1, np.int64)
        self.positives = np.full((m, most), -1, np.int64)
        self.similarities = np.zeros((m, most), np.float32)
        self.negatives = np.full((m, most), -1, np.int64)

    def fill(self, row: int, near: Ids, reached: Ids, scores: Vectors, k_neg: int) -> None:
        """One anchor's, of what is near it by distance and by the manifold, both nearest first."""
        near = near[near >= 0]
        e, m = near[: self.k_pos], reached[: self.k_pos]
        self.euclidean[row, : len(e)], self.manifold[row, : len(m)] = e, m
        positives = m[~np.isin(m, e)][: self.most]
        self.positives[row, : len(positives)] = positives
        self.similarities[row, : len(positives)] = scores[positives]
        around = near[:k_neg]
        negatives = around[~np.isin(around, reached[:k_neg])]
        # What the manifold calls a positive is none, whichever of the two k is larger.
        negatives = negatives[~np.isin(negatives, positives)][: self.most]
        self.negatives[row, : len(negatives)] = negatives


def _joined(graph: KNNGraph, where: str) -> Ids:
    """The nodes that are looked at."""
    groups = members(connected_components(graph))
    if not groups:
        raise ValueError(
            "x: expected some items that are among each other's nearest, got none: too few, or k is too small"
        )
    return groups[0] if where == "largest" else np.arange(len(graph))


def _nearest(x: Vectors, nodes: Ids, anchors: Ids, k: int, metric: str) -> Ids:
    """The k nearest others of each anchor among some nodes, int64 (m, k); -1 past their end."""
    index = FlatIndex(x.shape[1], metric=metric)
    index.add(x[nodes], ids=nodes)
    k = min(k, len(nodes) - 1)
    ids = index.search(x[anchors], k + 1).ids
    # A copy may stand before the item itself.
    own = ids == anchors[:, None]
    own[~own.any(axis=1), -1] = True
    return ids[~own].reshape(len(anchors), k)
