"""Laplacian eigenmaps: the smoothest coordinates on the neighbour graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_choice, as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.state import JSON, Arrays, check_only, take
from kinfold.manifold.neighbours import (
    METRICS,
    DistanceGraph,
    by_metric,
    connected,
    distance_graph,
    nearest_of,
    nearest_others,
)
from kinfold.manifold.sparse import smallest
from kinfold.manifold.spectrum import signed

WEIGHTS = ("binary", "mean", "heat")


class LaplacianEigenmaps(Transformer):
    """Eigenvectors of the smallest eigenvalues of L f = lambda D f, the constant one left out; f^T D f = 1.

    Follows scikit-learn's conventions; `weights="mean"` gives its SpectralEmbedding's answers up to signs, where its
    n_neighbors counts the point itself.

    Parameters
    ----------
    n_components : dimension of the embedding
    n_neighbors : an edge joins two points where either is among so many nearest of the other
    weights : of an edge: "binary" 1; "mean" 1 where both are, 1/2 where one is; "heat" exp(-|x - y|^2 / heat)
    heat : the mean squared length of an edge if None
    metric : "l2", or "cosine": between vectors brought to length one

    Attributes
    ----------
    embedding_ : float32 (n, n_components)
    eigenvalues_ : float64 (n_components,), rising

    A graph that falls into parts is joined by the shortest edges between them, with a warning. The embedding is of the
    points that are fitted; `transform` places others at the mean of their neighbours, weighted alike and scaled
    by 1 / (1 - lambda) (Bengio et al., NIPS 2003), and a fitted point where it was embedded.
    Belkin & Niyogi, Neural Computation 15, 2003.
    """

    kind: ClassVar[str] = "manifold.LaplacianEigenmaps"

    embedding_: Vectors
    eigenvalues_: NDArray[np.float64]

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 10,
        weights: str = "binary",
        heat: float | None = None,
        metric: str = "l2",
    ) -> None:
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.heat = heat
        self.metric = metric

    def fit(self, X: Any, y: Any = None) -> LaplacianEigenmaps:
        """Embed vectors (n, d), at least two."""
        self._check_params()
        given = as_samples(X, least=2)
        n = len(given)
        as_count(self.n_components, "n_components", most=n - 1)
        vectors = by_metric(given, self.metric)
        lists = nearest_others(vectors, self.n_neighbors)
        graph = connected(vectors, distance_graph(lists))
        squares = graph.lengths.astype(np.float64) ** 2
        self.heat_ = float(squares.mean()) if self.heat is None else float(self.heat)
        edges = self._weights_of(squares)
        rows = graph.rows()
        if self.weights == "mean":
            named = np.repeat(np.arange(n), lists.ids.shape[1]) * n + lists.ids.reshape(-1)
            both = np.isin(rows * n + graph.neighbours, named).astype(np.float64)
            edges = (both + np.isin(graph.neighbours.astype(np.int64) * n + rows, named)) / 2
            edges[edges == 0] = 0.5  # what joins parts
        roots = np.sqrt(np.bincount(rows, edges, minlength=n))
        null = roots / np.linalg.norm(roots)
        laplacian = _with_diagonal(graph, -edges / (roots[rows] * roots[graph.neighbours]))
        self.eigenvalues_, eigenvectors = smallest(*laplacian, null, self.n_components, bound=2.0)
        self.embedding_ = np.ascontiguousarray((signed(eigenvectors / roots)).T, np.float32)
        self._vectors = vectors
        self.n_features_in_ = given.shape[1]
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Vectors:
        """The embedding of vectors (n, d), float32 (n, n_components)."""
        return self.fit(X).embedding_

    def transform(self, X: Any) -> Vectors:
        """Where vectors (q, d) belong among those that were embedded."""
        queries = by_metric(self._samples(X), self.metric)
        near = nearest_of(queries, self._vectors, self.n_neighbors)
        edges = self._weights_of(near.lengths.astype(np.float64) ** 2)
        edges /= np.maximum(edges.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        placed = np.einsum("qk,qkc->qc", edges, self.embedding_[near.ids])
        placed /= np.maximum(1 - self.eigenvalues_, 1e-3)
        same = near.lengths[:, 0] == 0
        placed[same] = self.embedding_[near.ids[same, 0]]
        points: Vectors = placed.astype(np.float32)
        return points

    def arrays(self) -> Arrays:
        self._check_fitted()
        return {
            "vectors": self._vectors,
            "eigenvalues": self.eigenvalues_,
            "embedding": self.embedding_,
            "heat": np.array([self.heat_]),
        }

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> LaplacianEigenmaps:
        check_only(arrays, {"vectors", "eigenvalues", "embedding", "heat"}, "arrays")
        made: LaplacianEigenmaps = cls._of_params(params)
        made._vectors = take(arrays, "vectors", np.float32, (None, None))
        made.eigenvalues_ = take(arrays, "eigenvalues", np.float64, (made.n_components,))
        shape = (len(made._vectors), made.n_components)
        made.embedding_ = take(arrays, "embedding", np.float32, shape)
        made.heat_ = float(take(arrays, "heat", np.float64, (1,))[0])
        if not made._vectors.size or not made.heat_ >= 0:
            raise FileFormatError("array 'vectors': expected some, and a heat >= 0")
        made.n_features_in_ = made._vectors.shape[1]
        return made

    def _check_params(self) -> None:
        as_count(self.n_components, "n_components")
        as_count(self.n_neighbors, "n_neighbors", most=1 << 24)
        as_choice(self.weights, "weights", WEIGHTS)
        as_choice(self.metric, "metric", METRICS)
        if self.heat is not None:
            as_number(self.heat, "heat", least=0, open=True)

    def _weights_of(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.weights != "heat" or self.heat_ == 0:
            return np.ones(squares.shape)
        # Never zero: a far neighbour is still one.
        weights: NDArray[np.float64] = np.maximum(np.exp(-squares / self.heat_), 1e-12)
        return weights


def _with_diagonal(graph: DistanceGraph, values: NDArray[np.float64]) -> tuple[Any, Any, Any]:
    """Compressed rows of the identity plus the graph's entries."""
    n = len(graph.starts) - 1
    rows = np.concatenate([np.arange(n), graph.rows()])
    columns = np.concatenate([np.arange(n), graph.neighbours])
    order = np.lexsort((columns, rows))
    starts = graph.starts + np.arange(n + 1)
    return starts, columns[order].astype(np.int32), np.concatenate([np.ones(n), values])[order]
