"""From the neighbours of a query to the vector that diffusion starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_choice
from kinfold.graph.knn import weigh
from kinfold.graph.lists import once

RULES = ("formula", "reference")


class Weigher(Protocol):
    """What a query needs to know of a graph: a KNNGraph, or the Nodes that it leaves behind."""

    @property
    def gamma(self) -> float:
        """The power that turns similarities into weights."""

    def __len__(self) -> int: ...

    def weigh(self, similarities: ArrayLike) -> Vectors:
        """Similarities to weights."""


@dataclass(frozen=True)
class Nodes:
    """How many nodes a graph had, and how it turned similarities into weights."""

    count: int
    gamma: float
    metric: str

    def __len__(self) -> int:
        return self.count

    def weigh(self, similarities: ArrayLike) -> Vectors:
        """max(s, 0) ** gamma; cosines are cut at 1."""
        return weigh(as_array(similarities, "similarities"), self.gamma, self.metric)


class QueryVectors(NamedTuple):
    """Sparse vectors y, one a query: weights of ids[starts[j]:starts[j + 1]]."""

    starts: Ids
    ids: NDArray[np.int32]
    weights: Vectors


def query_vectors(
    graph: Weigher,
    similarities: ArrayLike,
    ids: ArrayLike,
    *,
    rule: str = "formula",
    items: Ids | None = None,
) -> QueryVectors:
    """y_i = sum over the points q of a query of s(q, x_i) where x_i is a neighbour of q.

    similarities : float32 (q, k), or (q, points, k) for queries of several points    before the power gamma, which is
        applied here, once
    ids : int, the same shape    -1 past the end of a list
    rule : "formula"    Iscen et al. 2017, eq. 5: powers, then their sum over the points
           "reference"  as the authors' code: raw similarities are summed over the points, the k
                        largest sums kept, then the power
    items : int64 (n,)  of which item each node is a copy: y is of the items, and a list's first copy of one counts
    Raises ValueError for ids outside the graph or twice in a list.
    """
    as_choice(rule, "rule", RULES)
    lists = as_array(ids, "ids")
    values = as_array(similarities, "similarities").astype(np.float32)
    if lists.ndim == 2:
        lists = lists[:, None, :]
    if lists.ndim != 3 or lists.size == 0 or lists.dtype.kind not in "iu":
        raise ValueError(
            f"ids: expected ids (q, k) or (q, points, k), got {lists.dtype} of shape {np.shape(ids)}"
        )
    if values.shape != np.shape(ids):
        raise ValueError(
            f"similarities: expected the shape of ids {np.shape(ids)}, got {values.shape}"
        )
    values = values.reshape(lists.shape)
    if lists.max() >= len(graph) or lists.min() < -1:
        bad = lists.max() if lists.max() >= len(graph) else lists.min()
        raise ValueError(f"ids: expected nodes from 0 to {len(graph) - 1} or -1, got {bad}")
    ordered = np.sort(lists, axis=2)
    twice = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    if twice.any():
        raise ValueError(
            f"ids: expected each id once in a list, got {ordered[..., 1:][twice][0]} more than once"
        )
    if items is not None:
        lists = once(np.where(lists >= 0, items[lists], -1))
    values = np.where(lists >= 0, values, 0)
    if not np.isfinite(values).all():
        raise ValueError("similarities: expected finite numbers, got NaN or infinity")
    parts = [_sum(graph, i[i >= 0], s[i >= 0], i.shape[1], rule) for i, s in zip(lists, values)]
    starts = np.cumsum([0, *(len(nodes) for nodes, _ in parts)], dtype=np.int64)
    nodes = np.concatenate([nodes for nodes, _ in parts]).astype(np.int32)
    return QueryVectors(starts, nodes, np.concatenate([weights for _, weights in parts]))


def _sum(
    graph: Weigher, ids: NDArray[Any], similarities: Vectors, k: int, rule: str
) -> tuple[NDArray[Any], Vectors]:
    """One query's nodes, ascending, and their weights."""
    nodes, position = np.unique(ids, return_inverse=True)
    if rule == "formula":
        sums = np.bincount(position, weights=graph.weigh(similarities), minlength=len(nodes))
        return nodes, sums.astype(np.float32)
    sums = np.bincount(position, weights=similarities, minlength=len(nodes))
    kept = np.sort(np.argsort(-sums, kind="stable")[:k])
    # No cut at 1: a sum over points may pass it.
    return nodes[kept], np.power(np.maximum(sums[kept], 0), graph.gamma).astype(np.float32)
