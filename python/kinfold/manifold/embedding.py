"""What embeddings by the eigenvectors of a matrix on the neighbour graph share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Vectors, as_answer, as_count, owned
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count, Metric
from kinfold.manifold.neighbours import (
    METRICS,
    Lists,
    by_metric,
    nearest_of,
    nearest_others,
)


class GraphEmbedding(Transformer):
    """Points are embedded together; others are placed by their neighbours among them.

    A subclass says how (`_embed`, `_place`), and declares what it learns besides.
    """

    n_components = Count()
    n_neighbors = Count(most=1 << 24)
    metric = Metric(METRICS)
    _vectors = Learnt(np.float32, ("n", "n_features_in_"))
    embedding_ = Learnt(np.float32, ("n", "n_components"))
    _CHECKED_LATE = True

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Embed vectors (n, d), at least two."""
        self._check_params()
        given = as_samples(X, least=2)
        as_count(self.n_components, "n_components", most=len(given) - 1)
        vectors = by_metric(given, self.metric)
        embedding = self._embed(vectors, nearest_others(vectors, self.n_neighbors))
        self.embedding_ = np.ascontiguousarray(embedding, np.float32)
        self._vectors = owned(vectors, X)
        self.n_features_in_ = given.shape[1]
        return self

    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> Vectors:
        """The embedding of vectors (n, d), float32 (n, n_components)."""
        embedding: Vectors = self.fit(X).embedding_
        return embedding

    @property
    def _n_features_out(self) -> int:
        return self.embedding_.shape[1]

    def transform(self, X: ArrayLike) -> Vectors:
        """Where vectors (q, d) belong among those that were embedded, float32 (q, n_components)."""
        queries = by_metric(self._samples(X), self.metric)
        near = nearest_of(queries, self._vectors, self.n_neighbors)
        with np.errstate(over="ignore"):
            placed = self._place(queries, near).astype(np.float32)
        return as_answer(placed, "X")

    def _embed(self, vectors: Vectors, lists: Lists) -> NDArray[np.float64]:
        """Coordinates (n, n_components)."""
        raise NotImplementedError

    def _place(self, queries: Vectors, near: Lists) -> NDArray[np.float64]:
        """Coordinates (q, n_components) of others by their neighbours."""
        raise NotImplementedError

    def _mixed(self, weights: NDArray[np.float64], near: Lists) -> NDArray[np.float64]:
        """Weighted sums (q, n_components) of the neighbours' coordinates; weights (q, k)."""
        sums: NDArray[np.float64] = np.einsum("qk,qkc->qc", weights, self.embedding_[near.ids])
        return sums
