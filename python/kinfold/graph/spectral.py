"""Fast spectral ranking: diffusion by the largest eigenvectors of the graph, found once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.metrics import as_metric
from kinfold.base.state import JSON, Arrays, check_only, take, take_param
from kinfold.graph.eigen import largest_eigenpairs
from kinfold.graph.flow import Scorer, as_alpha, as_graph
from kinfold.graph.knn import KNNGraph
from kinfold.graph.lists import METRICS
from kinfold.graph.query_vector import Nodes, query_vectors


class SpectralRanking(Scorer):
    """Diffusion f = h(W) y with h(w) = (1 - alpha) / (1 - alpha w), by the r largest eigenpairs of W.

    Made by ``fit``. The eigenvectors that are left out are taken to share the eigenvalue 0, where most of
    them lie: f = (1 - alpha) y + U (h(w) - (1 - alpha)) U' y. A query costs n r multiply-adds, or a search
    among the vectors of ``embedding`` by any index.

    vectors : float32 (n, r)   orthonormal eigenvectors U
    values : float64 (r,)      eigenvalues w, descending
    shift : whether the rest counts as eigenvalue 0; else it is dropped, as published

    Iscen, Avrithis, Tolias, Furon & Chum, CVPR 2018; the shift is this library's.
    """

    kind: ClassVar[str] = "graph.Spectral"

    def __init__(
        self, vectors: Vectors, values: NDArray[np.float64], *,
        alpha: float = 0.99, gamma: float = 3.0, metric: str = "cosine", shift: bool = True,
    ) -> None:  # fmt: skip
        self.vectors, self.values = vectors, values
        self.alpha = as_alpha(alpha)
        self.shift = bool(shift)
        gamma = as_number(gamma, "gamma", least=0, open=True)
        self.nodes = Nodes(len(vectors), gamma, as_metric(metric, known=METRICS))

    @classmethod
    def fit(
        cls,
        graph: KNNGraph,
        r: int = 1000,
        *,
        alpha: float = 0.99,
        shift: bool = True,
        seed: int = 0,
    ) -> SpectralRanking:
        """Find the eigenvectors.

        r : how many, at most the number of nodes; 1,000 to 5,000 as published
        seed : of the random vectors that the search starts from
        """
        as_graph(graph)
        r = as_count(r, "r", most=max(len(graph), 1))
        vectors, values = largest_eigenpairs(graph, r, seed=as_count(seed, "seed", least=0))
        return cls(
            vectors, values, alpha=alpha, gamma=graph.gamma, metric=graph.metric, shift=shift
        )

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

    def _scores(self, lists: NDArray[Any], values: NDArray[Any]) -> Vectors:
        sides = query_vectors(self.nodes, lists, values)
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
        return len(self.nodes)

    def params(self) -> dict[str, JSON]:
        return {
            "alpha": self.alpha,
            "gamma": self.nodes.gamma,
            "metric": self.nodes.metric,
            "shift": self.shift,
        }

    def arrays(self) -> Arrays:
        return {"vectors": self.vectors, "values": self.values}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> SpectralRanking:
        check_only(params, {"alpha", "gamma", "metric", "shift"}, "parameter")
        check_only(arrays, {"vectors", "values"}, "array")
        vectors = take(arrays, "vectors", np.float32, (None, None))
        if len(vectors) and not vectors.size:
            raise FileFormatError("array 'vectors': expected at least one eigenvector")
        try:
            return cls(
                vectors,
                take(arrays, "values", np.float64, (vectors.shape[1],)),
                alpha=take_param(params, "alpha", (int, float)),
                gamma=take_param(params, "gamma", (int, float)),
                metric=take_param(params, "metric", str),
                shift=take_param(params, "shift", bool),
            )
        except FileFormatError:
            raise
        except ValueError as error:
            raise FileFormatError(str(error)) from error
