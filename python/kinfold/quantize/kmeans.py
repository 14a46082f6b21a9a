"""k-means: the vector quantizer that codebooks, coarse cells and sub-quantizers are learnt with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_vectors, owned
from kinfold.base.estimator import Transformer
from kinfold.base.learnt import Learnt, Series
from kinfold.base.parameters import Choice, Count, Flag, Maybe, Number
from kinfold.base.progress import progress
from kinfold.base.random import generator
from kinfold.base.warn import warn_caller

Nearest: TypeAlias = Callable[[Vectors, Vectors], tuple[Ids, Vectors]]
# Fewer vectors a centroid than this say little about where it lies; faiss warns below the same.
_FEWEST = 39
# Vectors whose distances are computed at once.
_ROWS = 1024
INITS = ("auto", "k-means++", "k-means||", "random")


def are_few(n: int, k: int) -> bool:
    """Whether n vectors are fewer than is advised for k centroids."""
    return k > 1 and n < _FEWEST * k


def warn_of_few(n: int, k: int) -> None:
    """Warns whoever called the caller that n vectors are few for k centroids."""
    if are_few(n, k):
        warn_caller(
            f"{k} centroids are learnt from {n} vectors: at least {_FEWEST * k} are advised"
        )


def lift(*arrays: Vectors) -> int:
    """The power of two that brings numbers to about one where their squares would vanish in float32; 0 elsewhere."""
    largest = max(max(float(x.max()), -float(x.min())) for x in arrays)
    return -math.frexp(largest)[1] if 0 < largest < 2**-30 else 0


def assign(x: ArrayLike, centroids: ArrayLike) -> tuple[Ids, Vectors]:
    """The nearest centroid of each vector and the squared distance to it, exactly; ties to the smaller.

    x (n, d), centroids (k, d). Returns int64 (n,) and float32 (n,).
    """
    codebook = as_vectors(centroids, "centroids")
    vectors = as_vectors(x, "x", dim=codebook.shape[1], empty=True)
    if not len(vectors):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    labels, distances = _core.quantize.Clustering(vectors).assign(codebook)
    return labels, distances


def centroid_distances(vectors: Vectors, centroids: Vectors) -> Vectors:
    """Euclidean distances of all vectors (n, d) to all centroids (k, d), float32 (n, k)."""
    centre = centroids.mean(axis=0, dtype=np.float64)
    middle = centroids - centre
    lengths = np.einsum("ij,ij->i", middle, middle)
    found = np.empty((len(vectors), len(centroids)), np.float32)
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS] - centre
        squares = np.einsum("ij,ij->i", rows, rows)[:, None] + lengths - 2 * rows @ middle.T
        found[start : start + _ROWS] = np.sqrt(np.maximum(squares, 0))
    return found


class KMeans(Transformer):
    """k-means by Lloyd's iterations with exact assignment (Lloyd 1982).

    Parameters
    ----------
    k : number of centroids
    iterations : at most this many
    init : "k-means++" (Arthur & Vassilvitskii 2007), "k-means||" (Bahmani et al. 2012), "random" rows,
        or "auto": the first where its k passes over the data are affordable, else random
    spherical : centroids of length one, for vectors of length one
    restarts : the best of several runs
    batch : mini-batches of this many vectors (Sculley 2010) instead of all in each iteration
    sample : at most this many vectors for each centroid, drawn without replacement; None for all
    tolerance : stop when the inertia falls by less than this share
    seed : whole number; same seed, same codebook, whatever the threads
    verbose : a progress bar on a terminal

    Attributes
    ----------
    centroids : float32 (k, d)
    inertia : sum of squared distances of the vectors to their centroids
    inertia_history : the same at each iteration, of the best run
    repaired : how many empty cells were given a new centroid

    Follows scikit-learn's conventions: `predict` gives labels, `transform` distances to the centroids, and
    `cluster_centers_`, `inertia_` and `labels_` are there by its names.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> means = kf.KMeans(4, verbose=False).fit(x)
    >>> means.centroids.shape, means.assign(x[:5]).shape
    ((4, 8), (5,))
    """

    kind: ClassVar[str] = "quantize.KMeans"

    k = Count(most=1 << 24)
    iterations = Count(least=0)
    init = Choice(*INITS)
    spherical = Flag()
    restarts = Count()
    batch = Maybe(Count())
    sample = Maybe(Count())
    tolerance = Number(least=0)
    seed = Count(least=0)
    verbose = Flag().unsaved()
    centroids = Learnt(np.float32, ("k", "n_features_in_"), finite=True)
    inertia_history = Series()

    def __init__(
        self,
        k: int,
        *,
        iterations: int = 25,
        init: str = "auto",
        spherical: bool = False,
        restarts: int = 1,
        batch: int | None = None,
        sample: int | None = None,
        tolerance: float = 0.0,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.k, self.iterations, self.init, self.spherical = k, iterations, init, spherical
        self.restarts, self.batch, self.sample = restarts, batch, sample
        self.tolerance, self.seed, self.verbose = tolerance, seed, verbose
        self.repaired = 0
        self._labels: Ids | None = None

    @property
    def inertia(self) -> float:
        """The sum of squared distances of the vectors to their centroids; infinite before there are any."""
        return self.inertia_history[-1] if self.inertia_history else math.inf

    @property
    def cluster_centers_(self) -> Vectors:
        """The centroids float32 (k, d), by scikit-learn's name."""
        return self.centroids

    @property
    def inertia_(self) -> float:
        """The inertia, by scikit-learn's name."""
        _ = self.centroids
        return float(self.inertia)

    @property
    def n_iter_(self) -> int:
        """How many iterations the best run took."""
        _ = self.centroids
        return max(len(self.inertia_history) - 1, 0)

    @property
    def labels_(self) -> Ids:
        """The centroid of each vector that was fitted, int64 (n,); not of a sample of them, and not saved.

        Raises AttributeError then.
        """
        if self._labels is None:
            raise AttributeError(
                "labels_: expected a fit of all vectors; predict gives those of any"
            )
        return self._labels

    @property
    def _n_features_out(self) -> int:
        return len(self.centroids)

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        *,
        start: ArrayLike | None = None,
        nearest: Nearest | None = None,
    ) -> KMeans:
        """Learn the centroids from vectors (n, d); ValueError for fewer vectors than centroids.

        start : centroids (k, d) to begin with, in place of ``init``
        nearest : called with vectors and centroids, gives a near centroid of each, int64 (n,), and the squared distance
            to it, float32 (n,), in place of the exact search; without mini-batches
        """
        if nearest is not None and self.batch is not None:
            raise ValueError("nearest: expected none with mini-batches")
        vectors = as_vectors(x, "x")
        if len(vectors) < self.k:
            raise ValueError(f"x: expected at least k = {self.k} vectors, got {len(vectors)}")
        if start is None:
            warn_of_few(len(vectors), self.k)
        return self._learn(vectors, start, nearest)

    def _learn(self, vectors: Vectors, start: Any = None, nearest: Nearest | None = None) -> KMeans:
        """`fit` of at least k vectors, without a warning of few."""
        random, n = generator(self.seed), len(vectors)
        if self.sample is not None and len(vectors) > self.sample * self.k:
            rows = random.choice(len(vectors), self.sample * self.k, replace=False)
            vectors = vectors[np.sort(rows)]
        given = None
        if start is not None:
            given = owned(as_vectors(start, "start", dim=vectors.shape[1]), start)
            if len(given) != self.k:
                raise ValueError(f"start: expected k = {self.k} centroids, got {len(given)}")
        # Exact, and undone at the end. Spherical centroids have a size of their own.
        power = 0 if self.spherical else lift(vectors)
        if power:
            vectors = np.ldexp(vectors, power)
            given = None if given is None else np.ldexp(given, power)
        clustering = _core.quantize.Clustering(vectors)
        best: tuple[float, Vectors, list[float], int] | None = None
        for _ in range(self.restarts):
            seeds = self._seeds(vectors, clustering, random) if given is None else given
            if self.batch is not None:
                run = self._mini_batches(vectors, clustering, seeds, random)
            else:
                run = self._lloyd(vectors, clustering, seeds, nearest)
            centroids, history, repaired, labels = run
            if best is None or history[-1] < best[0]:
                best = history[-1], centroids, history, repaired
                self._labels = labels if len(labels) == n else None
        assert best is not None
        self.centroids, self.repaired = np.ldexp(best[1], -power) if power else best[1], best[3]
        self.inertia_history = [math.ldexp(value, -2 * power) for value in best[2]]
        self.n_features_in_ = vectors.shape[1]
        return self

    @overload
    def assign(self, x: ArrayLike, *, return_distance: Literal[False] = False) -> Ids: ...
    @overload
    def assign(self, x: ArrayLike, *, return_distance: Literal[True]) -> tuple[Vectors, Ids]: ...
    def assign(self, x: ArrayLike, *, return_distance: bool = False) -> Ids | tuple[Vectors, Ids]:
        """The nearest centroid of each vector, int64 (n,); ties to the smaller.

        return_distance : squared distances float32 (n,) too, in front
        """
        cells, distances = assign(x, self.centroids)
        return (distances, cells) if return_distance else cells

    def predict(self, X: ArrayLike) -> Ids:
        """The nearest centroid of each vector, int64 (n,)."""
        return self.assign(self._samples(X))

    def fit_predict(self, X: ArrayLike, y: ArrayLike | None = None) -> Ids:
        """fit, then predict the same vectors: int64 (n,)."""
        return self.fit(X).predict(X)

    def transform(self, X: ArrayLike) -> Vectors:
        """Euclidean distances of vectors (n, d) to the centroids, float32 (n, k)."""
        return centroid_distances(self._samples(X), self.centroids)

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Minus the sum of squared distances of vectors to their centroids."""
        return -float(assign(self._samples(X), self.centroids)[1].sum(dtype=np.float64))

    def _lloyd(
        self, vectors: Vectors, clustering: Any, centroids: Vectors, nearest: Nearest | None
    ) -> tuple[Vectors, list[float], int, Ids]:
        def assigned(*known: Ids) -> tuple[Ids, Vectors]:
            if nearest is not None:
                return nearest(vectors, centroids)
            found: tuple[Ids, Vectors] = clustering.assign(centroids, *known)
            return found

        labels, distances = assigned()
        history = [float(distances.sum(dtype=np.float64))]
        repaired = 0
        for _ in progress(range(self.iterations), "k-means", verbose=self.verbose):
            means, counts = clustering.update(labels, centroids)
            empty = np.flatnonzero(counts == 0)
            if len(empty):
                repaired += len(empty)
                means = _repair(means, counts, empty, vectors, labels, distances)
            centroids = self._finished(means)
            labels, distances = assigned(labels)
            history.append(float(distances.sum(dtype=np.float64)))
            if history[-2] - history[-1] <= self.tolerance * history[-2] and not len(empty):
                break
        return centroids, history, repaired, labels

    def _mini_batches(
        self, vectors: Vectors, clustering: Any, centroids: Vectors, random: np.random.Generator
    ) -> tuple[Vectors, list[float], int, Ids]:
        assert self.batch is not None
        seen = np.zeros(self.k)
        means = centroids.astype(np.float64)
        history = [float(clustering.assign(centroids)[1].sum(dtype=np.float64))]
        size = min(self.batch, len(vectors))
        for _ in progress(range(self.iterations), "mini-batch k-means", verbose=self.verbose):
            part = vectors[random.choice(len(vectors), size, replace=False)]
            batch = _core.quantize.Clustering(part)
            batch_means, counts = batch.update(batch.assign(centroids)[0], centroids)
            seen += counts
            rate = np.divide(counts, seen, out=np.zeros(self.k), where=seen > 0)
            means += rate[:, None] * (batch_means - means)
            centroids = self._finished(means.astype(np.float32))
        labels, distances = clustering.assign(centroids)
        history.append(float(distances.sum(dtype=np.float64)))
        return centroids, history, 0, labels

    def _finished(self, means: Vectors) -> Vectors:
        if not self.spherical:
            return means
        norms = np.linalg.norm(means.astype(np.float64), axis=1, keepdims=True)
        return np.divide(means, norms, out=means.astype(np.float64), where=norms > 0).astype(
            np.float32
        )

    def _seeds(self, vectors: Vectors, clustering: Any, random: np.random.Generator) -> Vectors:
        init = self.init
        if init == "auto":
            # k-means++ reads all vectors once for each centroid.
            init = "k-means++" if vectors.size * self.k <= 5e9 else "random"
        if init == "random":
            return vectors[np.sort(random.choice(len(vectors), self.k, replace=False))]
        if init == "k-means||":
            return _oversampled_seeds(vectors, self.k, random)
        return vectors[clustering.seed(self.k, seed=int(random.integers(1 << 62)))]


def _repair(
    means: Vectors,
    counts: NDArray[np.int64],
    empty: NDArray[np.intp],
    vectors: Vectors,
    labels: Ids,
    distances: Vectors,
) -> Vectors:
    """Give each empty cell the vector that lies farthest from its centroid, one from a cell.

    Taking from the cells of largest distortion first, as splitting them would.
    """
    distortion = np.bincount(labels, weights=distances, minlength=len(means))
    donors = np.argsort(-distortion, kind="stable")
    donors = donors[counts[donors] > 1][: len(empty)]
    order = np.lexsort((np.arange(len(labels)), -distances.astype(np.float64), labels))
    first = np.searchsorted(labels[order], donors)
    repaired = means.copy()
    repaired[empty[: len(donors)]] = vectors[order[first]]
    return repaired


def _oversampled_seeds(
    vectors: Vectors, k: int, random: np.random.Generator, rounds: int = 5
) -> Vectors:
    """k-means||: a few rounds draw about 2k candidates each time; weighted k-means++ reduces them to k.

    Bahmani, Moseley, Vattani, Kumar & Vassilvitskii, VLDB 2012, algorithm 2, with factor l = 2k / rounds
    and candidates added at random should the rounds yield fewer than k.
    """
    chosen = np.array([random.integers(len(vectors))])
    distances = assign(vectors, vectors[chosen])[1].astype(np.float64)
    for _ in range(rounds):
        total = distances.sum()
        if total <= 0:
            break
        drawn = np.flatnonzero(random.random(len(vectors)) * total < 2 * k * distances)
        if len(drawn):
            chosen = np.union1d(chosen, drawn)
            distances = np.minimum(distances, assign(vectors, vectors[drawn])[1])
    if len(chosen) < k:
        rest = np.setdiff1d(np.arange(len(vectors)), chosen)
        chosen = np.union1d(chosen, random.choice(rest, k - len(chosen), replace=False))
    candidates = vectors[chosen]
    weights = np.bincount(assign(vectors, candidates)[0], minlength=len(chosen)).astype(np.float64)
    clustering = _core.quantize.Clustering(candidates)
    return candidates[clustering.seed(k, weights, int(random.integers(1 << 62)))]
