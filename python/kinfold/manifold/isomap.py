"""Isomap: coordinates that keep geodesic distances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_answer, as_count, owned
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Figure, Learnt
from kinfold.base.parameters import Count, Maybe, Metric
from kinfold.base.random import generator
from kinfold.base.state import check_range, check_starts
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

    Examples
    --------
    >>> roll = kf.datasets.swiss_roll(200).points
    >>> kf.Isomap(2, n_neighbors=10).fit_transform(roll).shape
    (200, 2)
    """

    kind: ClassVar[str] = "manifold.Isomap"

    n_components = Count()
    n_neighbors = Count(most=1 << 24)
    landmarks = Maybe(Count(least=2))
    metric = Metric(METRICS)
    seed = Count(least=0)
    _vectors = Learnt(np.float32, ("n", "n_features_in_"))
    _starts = Learnt(np.int64, ("n+1",))
    _neighbours = Learnt(np.int32, ("edges",), empty=True)
    _lengths = Learnt(np.float32, ("edges",), empty=True)
    _landmarks = Learnt(np.int64, ("anchors",))
    _means = Learnt(np.float64, ("anchors",))
    eigenvalues_ = Learnt(np.float64, ("n_components",))
    embedding_ = Learnt(np.float32, ("n", "n_components"))
    residual_variance_ = Figure()
    _CHECKED_LATE = True

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 5,
        landmarks: int | None = None,
        metric: str = "l2",
        seed: int = 0,
    ) -> None:
        self.n_components, self.n_neighbors = n_components, n_neighbors
        self.landmarks, self.metric, self.seed = landmarks, metric, seed

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Isomap:
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
        self._vectors, self._landmarks = owned(vectors, X), landmarks
        self._starts, self._neighbours, self._lengths = graph
        self._means, self.eigenvalues_, self.embedding_ = (
            spectrum.means,
            spectrum.values,
            embedding,
        )
        self.n_features_in_ = given.shape[1]
        self.residual_variance_ = self._residual_variance()
        return self

    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> Vectors:
        """The embedding of vectors (n, d), float32 (n, n_components)."""
        return self.fit(X).embedding_

    @property
    def _n_features_out(self) -> int:
        return self.embedding_.shape[1]

    def transform(self, X: ArrayLike) -> Vectors:
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

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        n = len(self._vectors)
        check_starts(self._starts, len(self._neighbours), "starts")
        check_range(self._neighbours, n, "neighbours")
        check_range(self._landmarks, n, "landmarks")
        if not (self._lengths >= 0).all():
            raise FileFormatError("array 'lengths': expected numbers >= 0 between vectors")

    @property
    def _graph(self) -> DistanceGraph:
        return DistanceGraph(self._starts, self._neighbours, self._lengths)

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
