"""Locally linear embedding: every point is the same mixture of its neighbours as among the vectors."""

from __future__ import annotations

import warnings
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
    Lists,
    by_metric,
    components,
    distance_graph,
    nearest_of,
    nearest_others,
)
from kinfold.manifold.sparse import smallest
from kinfold.manifold.spectrum import signed

_Floats = NDArray[np.float64]
_ROWS = 1024


class LocallyLinearEmbedding(Transformer):
    """Each vector is written as a mixture of its neighbours; the embedding is of unit covariance and best mixed alike.

    Follows scikit-learn's conventions, and the answers of its LocallyLinearEmbedding (method "standard") up to signs.

    Parameters
    ----------
    n_components : dimension of the embedding
    n_neighbors : how many are mixed
    reg : added to the diagonal of each local covariance, as a share of its trace
    metric : "l2", or "cosine": between vectors brought to length one

    Attributes
    ----------
    embedding_ : float32 (n, n_components), columns of length one
    reconstruction_error_ : sum of the eigenvalues of (I - W)^T (I - W)

    A warning says that the neighbour graph falls into parts, of which each may become one point.
    Roweis & Saul, Science 290, 2000.
    """

    kind: ClassVar[str] = "manifold.LLE"

    embedding_: Vectors
    reconstruction_error_: float

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 12,
        reg: float = 1e-3,
        metric: str = "l2",
    ) -> None:
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.reg = reg
        self.metric = metric

    def fit(self, X: Any, y: Any = None) -> LocallyLinearEmbedding:
        """Embed vectors (n, d), at least two."""
        self._check_params()
        given = as_samples(X, least=2)
        n = len(given)
        as_count(self.n_components, "n_components", most=n - 1)
        vectors = by_metric(given, self.metric)
        lists = nearest_others(vectors, self.n_neighbors)
        parts = len(np.unique(components(distance_graph(lists))))
        if parts > 1:
            warnings.warn(
                f"the neighbour graph falls into {parts} parts, of which each may become one point: more neighbours "
                "may be wanted",
                UserWarning,
                stacklevel=2,
            )
        weights = mixtures(vectors, vectors, lists, self.reg)
        null = np.full(n, 1 / np.sqrt(n))
        values, eigenvectors = smallest(*_squared(lists, weights), null, self.n_components)
        self.embedding_ = np.ascontiguousarray(signed(eigenvectors).T, np.float32)
        self.reconstruction_error_ = float(values.sum())
        self._vectors = vectors
        self.n_features_in_ = given.shape[1]
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Vectors:
        """The embedding of vectors (n, d), float32 (n, n_components)."""
        return self.fit(X).embedding_

    def transform(self, X: Any) -> Vectors:
        """Vectors (q, d) to the same mixtures of their neighbours' coordinates (Saul & Roweis, JMLR 2003)."""
        queries = by_metric(self._samples(X), self.metric)
        near = nearest_of(queries, self._vectors, self.n_neighbors)
        weights = mixtures(queries, self._vectors, near, self.reg)
        placed = np.einsum("qk,qkc->qc", weights, self.embedding_[near.ids])
        points: Vectors = placed.astype(np.float32)
        return points

    def arrays(self) -> Arrays:
        self._check_fitted()
        return {
            "vectors": self._vectors,
            "embedding": self.embedding_,
            "reconstruction_error": np.array([self.reconstruction_error_]),
        }

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> LocallyLinearEmbedding:
        check_only(arrays, {"vectors", "embedding", "reconstruction_error"}, "arrays")
        made: LocallyLinearEmbedding = cls._of_params(params)
        made._vectors = take(arrays, "vectors", np.float32, (None, None))
        shape = (len(made._vectors), made.n_components)
        made.embedding_ = take(arrays, "embedding", np.float32, shape)
        error = take(arrays, "reconstruction_error", np.float64, (1,))
        made.reconstruction_error_ = float(error[0])
        if not made._vectors.size:
            raise FileFormatError("array 'vectors': expected some")
        made.n_features_in_ = made._vectors.shape[1]
        return made

    def _check_params(self) -> None:
        as_count(self.n_components, "n_components")
        as_count(self.n_neighbors, "n_neighbors", most=1 << 24)
        as_number(self.reg, "reg", least=0)
        as_choice(self.metric, "metric", METRICS)


def mixtures(queries: Vectors, vectors: Vectors, lists: Lists, reg: float) -> _Floats:
    """Weights (q, k) of least |x - sum w_j x_j|, each row adding up to one; Roweis & Saul, eq. 1, regularised."""
    weights = np.empty(lists.ids.shape)
    k = lists.ids.shape[1]
    for start in range(0, len(queries), _ROWS):
        block = slice(start, start + _ROWS)
        gaps = vectors[lists.ids[block]].astype(np.float64) - queries[block, None]
        gram = gaps @ gaps.transpose(0, 2, 1)
        trace = np.trace(gram, axis1=1, axis2=2)
        # At least the rounding of the trace: neighbours in one place leave nothing to solve.
        ridge = np.where(trace > 0, max(reg, 1e-12) * trace, max(reg, 1e-12))
        gram[:, np.arange(k), np.arange(k)] += ridge[:, None]
        found = np.linalg.solve(gram, np.ones((len(gram), k, 1)))[..., 0]
        weights[block] = found / found.sum(axis=1, keepdims=True)
    return weights


def _squared(lists: Lists, weights: _Floats) -> tuple[Any, Any, Any]:
    """(I - W)^T (I - W) in compressed rows: the sum over points of their mixtures times themselves."""
    n = len(weights)
    columns = np.concatenate([np.arange(n)[:, None], lists.ids], axis=1)
    values = np.concatenate([np.ones((n, 1)), -weights], axis=1)
    keys = (columns[:, :, None] * n + columns[:, None, :]).reshape(-1)
    products = (values[:, :, None] * values[:, None, :]).reshape(-1)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sums = np.add.reduceat(products[order], first)
    keys = keys[first]
    starts = np.searchsorted(keys, np.arange(n + 1) * n).astype(np.int64)
    return starts, (keys % n).astype(np.int32), sums
