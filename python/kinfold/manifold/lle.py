"""Locally linear embedding: every point is the same mixture of its neighbours as among the vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.learnt import Figure
from kinfold.base.parameters import Number
from kinfold.base.warn import warn_caller
from kinfold.manifold.embedding import GraphEmbedding
from kinfold.manifold.neighbours import Lists, components, distance_graph
from kinfold.manifold.sparse import smallest
from kinfold.manifold.spectrum import signed

_Floats = NDArray[np.float64]
_ROWS = 1024


class LocallyLinearEmbedding(GraphEmbedding):
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

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.LocallyLinearEmbedding(2).fit_transform(x).shape
    (200, 2)
    """

    kind: ClassVar[str] = "manifold.LLE"

    reg = Number(least=0)
    reconstruction_error_ = Figure()

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 12,
        reg: float = 1e-3,
        metric: str = "l2",
    ) -> None:
        self.n_components, self.n_neighbors = n_components, n_neighbors
        self.reg, self.metric = reg, metric

    def _embed(self, vectors: Vectors, lists: Lists) -> _Floats:
        parts = len(np.unique(components(distance_graph(lists))))
        if parts > 1:
            warn_caller(
                f"the neighbour graph falls into {parts} parts, of which each may become one point: more neighbours "
                "may be wanted"
            )
        weights = mixtures(vectors, vectors, lists, self.reg)
        null = np.full(len(vectors), 1 / np.sqrt(len(vectors)))
        values, eigenvectors = smallest(*_squared(lists, weights), null, self.n_components)
        self.reconstruction_error_ = float(values.sum())
        embedding: _Floats = signed(eigenvectors).T
        return embedding

    def _place(self, queries: Vectors, near: Lists) -> _Floats:
        # The same mixture of coordinates as of vectors (Saul & Roweis, JMLR 2003).
        return self._mixed(mixtures(queries, self._vectors, near, self.reg), near)


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
