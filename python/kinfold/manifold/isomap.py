"""Isomap: coordinates that keep geodesic distances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_answer, as_count, owned
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.metrics import as_metric
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, check_only, check_range, check_starts, take
from kinfold.manifold.neighbours import (
    METRICS,
    DistanceGraph,
    by_metric,
    connected,
    distance_graph,
    geodesics,
    geodesics_through,
    nearest_of,
    nearest_others,
)
from kinfold.manifold.spectrum import Spectrum, centred_spectrum, placed, precision

_ROWS = 1024
# Points from which the residual variance is measured.
_PROBES = 256


class Isomap(Transformer):
    """Classical scaling of the lengths of the shortest paths along the neighbour graph.

    Follows scikit-learn's conventions, and its Isomap's answers up to signs.

    Parameters
    ----------
    n_components : dimension of the embedding
    n_neighbors : an edge joins two points where either is among so many nearest of the other
    landmarks : None scales all distances, 4 n^2 bytes of memory; else a random sample of so many points is scaled
        and the others are placed by their distances to it, 4 n * landmarks bytes (de Silva & Tenenbaum, NIPS 2003)
    metric : "l2", or "cosine": between vectors brought to length one
    seed : of the choice of landmarks

    Attributes
    ----------
    embedding_ : float32 (n, n_components)
    eigenvalues_ : float64 (n_components,), falling
    residual_variance_ : 1 - R^2 between geodesic and embedded distances, from 256 points to all; above some 0.05 where
        dimensions are too few, or where neighbours reach across a fold

    A graph that falls into parts is joined by the shortest edges between them, with a warning. Distances are float32.
    Tenenbaum, de Silva & Langford, Science 290, 2000.
    """

    kind: ClassVar[str] = "manifold.Isomap"

    embedding_: Vectors
    eigenvalues_: NDArray[np.float64]
    residual_variance_: float

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 5,
        landmarks: int | None = None,
        metric: str = "l2",
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.landmarks = landmarks
        self.metric = metric
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Isomap:
        """Embed vectors (n, d), at least two."""
        self._check_params()
        given = as_samples(X, least=2)
        n = len(given)
        as_count(self.n_components, "n_components", most=n - 1)
        vectors = by_metric(given, self.metric)
        graph = connected(vectors, distance_graph(nearest_others(vectors, self.n_neighbors)))
        landmarks = np.arange(n)
        if self.landmarks is not None and self.landmarks < n:
            as_count(self.landmarks, "landmarks", least=self.n_components + 1)
            landmarks = np.sort(generator(self.seed).permutation(n)[: self.landmarks])
        lengths = geodesics(graph, landmarks)
        between = lengths if len(landmarks) == n else lengths[:, landmarks]
        spectrum = _scaling(between, self.n_components)
        embedding = spectrum.coordinates()
        if len(landmarks) < n:
            embedding = np.concatenate([
                placed(_gram(lengths[:, start : start + _ROWS].T), spectrum.means, embedding, spectrum.values)
                for start in range(0, n, _ROWS)
            ])  # fmt: skip
        embedding = as_answer(embedding, "X")
        self._vectors, self._graph, self._landmarks = owned(vectors, X), graph, landmarks
        self._means, self.eigenvalues_, self.embedding_ = (
            spectrum.means,
            spectrum.values,
            embedding,
        )
        self.n_features_in_ = given.shape[1]
        self.residual_variance_ = self._residual_variance()
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Vectors:
        """The embedding of vectors (n, d), float32 (n, n_components)."""
        return self.fit(X).embedding_

    @property
    def _n_features_out(self) -> int:
        return self.embedding_.shape[1]

    def transform(self, X: Any) -> Vectors:
        """Where vectors (q, d) belong: placed by the shortest paths that begin at their neighbours.

        A point that was fitted is placed where it was embedded.
        """
        queries = by_metric(self._samples(X), self.metric)
        base = self.embedding_[self._landmarks]
        parts = []
        for start in range(0, len(queries), _ROWS):
            near = nearest_of(queries[start : start + _ROWS], self._vectors, self.n_neighbors)
            lengths = geodesics_through(self._graph, near)[:, self._landmarks]
            points = placed(_gram(lengths), self._means, base, self.eigenvalues_)
            # Not computed again: beside far points float32 lengths round more than near points are apart.
            fitted = near.lengths[:, 0] == 0
            points[fitted] = self.embedding_[near.ids[fitted, 0]]
            parts.append(points)
        return as_answer(np.concatenate(parts), "X")

    def arrays(self) -> Arrays:
        self._check_fitted()
        return {
            "vectors": self._vectors,
            "starts": self._graph.starts,
            "neighbours": self._graph.neighbours,
            "lengths": self._graph.lengths,
            "landmarks": self._landmarks,
            "means": self._means,
            "eigenvalues": self.eigenvalues_,
            "embedding": self.embedding_,
            "residual_variance": np.array([self.residual_variance_]),
        }

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Isomap:
        names = {
            "vectors", "starts", "neighbours", "lengths", "landmarks", "means", "eigenvalues", "embedding",
            "residual_variance",
        }  # fmt: skip
        check_only(arrays, names, "arrays")
        made: Isomap = cls._of_params(params)
        vectors = take(arrays, "vectors", np.float32, (None, None))
        n = len(vectors)
        neighbours = take(arrays, "neighbours", np.int32, (None,))
        lengths = take(arrays, "lengths", np.float32, (len(neighbours),))
        starts = take(arrays, "starts", np.int64, (n + 1,))
        landmarks = take(arrays, "landmarks", np.int64, (None,))
        check_starts(starts, len(neighbours), "starts")
        check_range(neighbours, n, "neighbours")
        check_range(landmarks, n, "landmarks")
        if not n or not vectors.shape[1] or not (lengths >= 0).all():
            raise FileFormatError("array 'lengths': expected numbers >= 0 between vectors")
        made._vectors, made._landmarks = vectors, landmarks
        made._graph = DistanceGraph(starts, neighbours, lengths)
        made._means = take(arrays, "means", np.float64, (len(landmarks),))
        made.eigenvalues_ = take(arrays, "eigenvalues", np.float64, (made.n_components,))
        made.embedding_ = take(arrays, "embedding", np.float32, (n, made.n_components))
        made.residual_variance_ = float(take(arrays, "residual_variance", np.float64, (1,))[0])
        made.n_features_in_ = vectors.shape[1]
        return made

    def _check_params(self) -> None:
        as_count(self.n_components, "n_components")
        as_count(self.n_neighbors, "n_neighbors", most=1 << 24)
        as_metric(self.metric, known=METRICS)
        as_count(self.seed, "seed", least=0)
        if self.landmarks is not None:
            as_count(self.landmarks, "landmarks", least=2)

    def _residual_variance(self) -> float:
        n = len(self.embedding_)
        probes: Ids = np.unique(np.linspace(0, n - 1, min(n, _PROBES)).astype(np.int64))
        along = geodesics(self._graph, probes).astype(np.float64)
        squares = np.einsum("ij,ij->i", self.embedding_, self.embedding_, dtype=np.float64)
        inner = self.embedding_[probes].astype(np.float64) @ self.embedding_.T
        straight = np.sqrt(np.maximum(squares[probes, None] + squares - 2 * inner, 0))
        along -= along.mean()
        straight -= straight.mean()
        scale = (along**2).sum() * (straight**2).sum()
        return float(1 - (along * straight).sum() ** 2 / scale) if scale > 0 else 0.0


def _scaling(between: Vectors, k: int) -> Spectrum:
    """Classical scaling of lengths (m, m), which may be overwritten, to k coordinates."""
    # Squares that float32 holds, whatever the lengths: by a power of two, undone at the end.
    largest = float(between.max())
    power = 0 if 2**-30 < largest < 2**40 else -math.frexp(largest)[1]
    gram = _gram(between, precision(len(between)), power)
    values, vectors, means = centred_spectrum(gram, k)
    return Spectrum(np.ldexp(values, -2 * power), vectors, np.ldexp(means, -2 * power))


def _gram(lengths: Vectors, dtype: Any = np.float64, power: int = 0) -> NDArray[Any]:
    """-d^2 / 2 of lengths times a power of two; its centring turns distances into inner products."""
    gram = lengths.astype(dtype, copy=lengths.base is not None)
    if power:
        np.ldexp(gram, power, out=gram)
    np.square(gram, out=gram)
    gram *= -0.5
    return gram
