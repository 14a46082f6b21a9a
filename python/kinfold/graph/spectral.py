"""Fast spectral ranking: diffusion by the largest eigenvectors of the graph, found once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_count
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count, Flag, Metric, Number
from kinfold.graph.eigen import largest_eigenpairs
from kinfold.graph.flow import Alpha, Scorer, as_graph
from kinfold.graph.knn import KNNGraph
from kinfold.graph.lists import METRICS
from kinfold.graph.query_vector import Nodes, query_vectors


class SpectralRanking(Scorer):
    """Diffusion f = h(W) y with h(w) = (1 - alpha) / (1 - alpha w), by the r largest eigenpairs of W.

    The eigenvectors that are left out are taken to share the eigenvalue 0, where most of
    them lie: f = (1 - alpha) y + U (h(w) - (1 - alpha)) U' y. A query costs n r multiply-adds, or a search
    among the vectors of ``embedding`` by any index.

    Parameters
    ----------
    n_components : r, at most the number of nodes; 1,000 to 5,000 as published
    alpha : share that flows on at each step, in [0, 1)
    shift : whether the rest counts as eigenvalue 0; else it is dropped, as published
    seed : of the random vectors that the search for eigenvectors starts from

    Attributes
    ----------
    vectors : float32 (n, r), orthonormal eigenvectors U
    values : float64 (r,), eigenvalues w, descending

    Iscen, Avrithis, Tolias, Furon & Chum, CVPR 2018; the shift is this library's.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> graph = kf.KNNGraph(10, reciprocal=False).fit(x)
    >>> kf.SpectralRanking(20).fit(graph).rank([0.9, 0.8], [3, 5], k=4).ids.shape
    (4,)
    """

    kind: ClassVar[str] = "graph.Spectral"

    n_components = Count().unsaved()
    alpha = Alpha()
    gamma = Number(least=0, open=True)
    metric = Metric(METRICS)
    shift = Flag()
    seed = Count(least=0).unsaved()
    vectors = Learnt(np.float32, ("n", "r"), empty=True)
    values = Learnt(np.float64, ("r",), empty=True)

    def __init__(
        self,
        n_components: int = 1000,
        *,
        alpha: float = 0.99,
        shift: bool = True,
        seed: int = 0,
    ) -> None:
        self.n_components, self.alpha, self.shift, self.seed = n_components, alpha, shift, seed

    @property
    def nodes(self) -> Nodes:
        """What is known of the graph."""
        return Nodes(len(self.vectors), self.gamma, self.metric)

    def fit(self, graph: KNNGraph) -> SpectralRanking:
        """Find the eigenvectors of a graph of at least as many nodes."""
        as_graph(graph)
        count = as_count(self.n_components, "n_components", most=max(len(graph), 1))
        self.vectors, self.values = largest_eigenpairs(graph, count, seed=self.seed)
        self.gamma, self.metric = graph.gamma, graph.metric
        return self

    def transfer(self) -> NDArray[np.float64]:
        """h of each eigenvalue, float64 (r,)."""
        return (1 - self.alpha) / (1 - self.alpha * np.clip(self.values, -1, 1))

    def error_bound(self) -> float:
        """|scores - scores of Diffusion in the limit| <= this * |y|; 0 where nothing is left out."""
        n, r = self.vectors.shape
        if r == n:
            return 0.0
        largest = float(self.transfer()[-1])
        if not self.shift:
            return largest
        rest, least = 1 - self.alpha, (1 - self.alpha) / (1 + self.alpha)
        return max(largest - rest, rest - least)

    def embedding(self) -> Vectors:
        """Vectors (n, r) whose inner products are the diffusion from node to node, without the shift.

        A query is the sum of its neighbours' vectors, each times its similarity to the power gamma.
        """
        return self.vectors * np.sqrt(self.transfer()).astype(np.float32)

    def _scores(self, values: NDArray[Any], lists: NDArray[Any]) -> Vectors:
        sides = query_vectors(self.nodes, values, lists)
        rest = 1 - self.alpha if self.shift else 0.0
        gains = (self.transfer() - rest).astype(np.float32)
        mixed = np.zeros((len(lists), self.vectors.shape[1]), np.float32)
        spans = [slice(*sides.starts[row : row + 2]) for row in range(len(lists))]
        for row, span in enumerate(spans):
            mixed[row] = gains * (sides.weights[span] @ self.vectors[sides.ids[span]])
        scores: Vectors = mixed @ self.vectors.T
        if self.shift:
            for row, span in enumerate(spans):
                scores[row, sides.ids[span]] += np.float32(rest) * sides.weights[span]
        return scores

    def __len__(self) -> int:
        return len(self.vectors)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        n, r = self.vectors.shape
        if n and not r:
            raise ValueError("array 'vectors': expected at least one eigenvector")
        self.n_components = max(r, 1)
