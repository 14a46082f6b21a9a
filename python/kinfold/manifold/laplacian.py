"""Laplacian eigenmaps: the smoothest coordinates on the neighbour graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Figure, Learnt
from kinfold.base.parameters import Choice, Maybe, Number
from kinfold.manifold.embedding import GraphEmbedding
from kinfold.manifold.neighbours import DistanceGraph, Lists, connected, distance_graph
from kinfold.manifold.sparse import smallest
from kinfold.manifold.spectrum import signed

WEIGHTS = ("binary", "mean", "heat")


class LaplacianEigenmaps(GraphEmbedding):
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

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.LaplacianEigenmaps(2).fit_transform(x).shape
    (200, 2)
    """

    kind: ClassVar[str] = "manifold.LaplacianEigenmaps"

    weights = Choice(*WEIGHTS)
    heat = Maybe(Number(least=0, open=True))
    eigenvalues_ = Learnt(np.float64, ("n_components",))
    heat_ = Figure()

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 10,
        weights: str = "binary",
        heat: float | None = None,
        metric: str = "l2",
    ) -> None:
        self.n_components, self.n_neighbors = n_components, n_neighbors
        self.weights, self.heat, self.metric = weights, heat, metric

    def _embed(self, vectors: Vectors, lists: Lists) -> NDArray[np.float64]:
        n = len(vectors)
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
        embedding: NDArray[np.float64] = signed(eigenvectors / roots).T
        return embedding

    def _place(self, queries: Vectors, near: Lists) -> NDArray[np.float64]:
        edges = self._weights_of(near.lengths.astype(np.float64) ** 2)
        edges /= np.maximum(edges.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        placed = self._mixed(edges, near) / np.maximum(1 - self.eigenvalues_, 1e-3)
        same = near.lengths[:, 0] == 0
        placed[same] = self.embedding_[near.ids[same, 0]]
        return placed

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        if not self.heat_ >= 0:
            raise FileFormatError(f"array 'heat': expected a number >= 0, got {self.heat_}")

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
