"""Fisher vectors: how a photo's descriptors would move a mixture of Gaussians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.aggregate.aggregation import Aggregation
from kinfold.base.arrays import Vectors, as_array, as_vectors
from kinfold.base.bags import as_descriptors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Number
from kinfold.quantize.kmeans import KMeans, assign

GRADIENTS = ("means", "means and variances")
# Variances are at least this share of the data's.
_FLOOR = 1e-4
_BLOCK = 8192


class FisherVector(Aggregation):
    """Gradients of the log-likelihood of a mixture of k diagonal Gaussians, one vector of length one a photo.

    G_mean_k = sum_i g_ik (x_i - m_k) / s_k / (n sqrt(w_k));
    G_variance_k = sum_i g_ik (((x_i - m_k) / s_k)^2 - 1) / (n sqrt(2 w_k)), with posteriors g_ik.

    Parameters
    ----------
    k : Gaussians
    gradients : "means": k * d dimensions; "means and variances": 2 * k * d
    power : exponent of the signed power law before the final normalisation; 1 for none
    iterations : of expectation-maximisation, from k-means
    seed : of k-means

    Perronnin and Dance, CVPR 2007; Perronnin, Sanchez and Mensink, ECCV 2010 (power law, length one).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> photos = np.split(x, 10)  # descriptors of each
    >>> kf.FisherVector(4).fit(x).transform(photos).shape
    (10, 32)
    """

    kind: ClassVar[str] = "local.Fisher"

    k = Count(most=65536)
    gradients = Choice(*GRADIENTS)
    power = Number(0, 1)
    iterations = Count(least=0)
    seed = Count(least=0)
    weights = Learnt(np.float64, ("k",), finite=True)
    means = Learnt(np.float64, ("k", "n_features_in_"), finite=True)
    variances = Learnt(np.float64, ("k", "n_features_in_"), finite=True)

    def __init__(
        self,
        k: int = 64,
        *,
        gradients: str = "means",
        power: float = 0.5,
        iterations: int = 20,
        seed: int = 0,
    ) -> None:
        self.k, self.gradients, self.power = k, gradients, power
        self.iterations, self.seed = iterations, seed

    @property
    def _n_features_out(self) -> int:
        return self.means.size * (1 if self.gradients == "means" else 2)

    @classmethod
    def from_mixture(
        cls, weights: ArrayLike, means: ArrayLike, variances: ArrayLike, **options: Any
    ) -> FisherVector:
        """A mixture that was learnt elsewhere: weights (k,) that sum to one, means and variances (k, d).

        options : of the constructor but k
        Raises ValueError for what is no such mixture.
        """
        middle, spread = (
            np.array(as_vectors(x, name), np.float64)
            for x, name in ((means, "means"), (variances, "variances"))
        )
        if spread.shape != middle.shape or spread.min() <= 0:
            raise ValueError(
                f"variances: expected numbers above 0 {middle.shape}, one for each mean"
            )
        share = np.array(as_array(weights, "weights"), np.float64)
        if share.shape != middle.shape[:1] or not (share > 0).all() or abs(share.sum() - 1) > 1e-3:
            raise ValueError(f"weights: expected {len(middle)} numbers above 0 that sum to 1")
        made = cls(len(middle), **options)
        made.weights, made.means, made.variances = share, middle, spread
        made.n_features_in_ = middle.shape[1]
        return made

    def fit(self, descriptors: ArrayLike, y: ArrayLike | None = None) -> FisherVector:
        """Learn the mixture from local descriptors (n, d), n >= k, or those of photos, arrays (n_i, d)."""
        x = as_descriptors(descriptors, "descriptors")
        centroids = KMeans(self.k, iterations=15, sample=2000, seed=self.seed, verbose=False)
        labels, _ = assign(x, centroids.fit(x).centroids)
        posteriors = np.zeros((len(x), self.k))
        posteriors[np.arange(len(x)), labels] = 1
        floor = np.maximum(x.var(axis=0, dtype=np.float64) * _FLOOR, 1e-12)
        self._maximise(x.astype(np.float64), posteriors, floor)
        for _ in range(self.iterations):
            posteriors = self.posteriors(x)
            self._maximise(x.astype(np.float64), posteriors, floor)
        self.n_features_in_ = x.shape[1]
        return self

    def _maximise(
        self, x: NDArray[np.float64], posteriors: NDArray[np.float64], floor: NDArray[np.float64]
    ) -> None:
        totals = np.maximum(posteriors.sum(axis=0), 1e-10)
        self.weights = totals / totals.sum()
        self.means = posteriors.T @ x / totals[:, None]
        squares = posteriors.T @ x**2 / totals[:, None]
        self.variances = np.maximum(squares - self.means**2, floor)

    def log_likelihoods(self, descriptors: ArrayLike) -> NDArray[np.float64]:
        """Logarithms of the weighed densities, float64 (n, k).

        Raises ValueError for descriptors of another dimension.
        """
        x = as_vectors(descriptors, "descriptors", empty=True).astype(np.float64)
        weights, inverse = self.weights, 1 / self.variances
        if x.shape[1] != self.means.shape[1]:
            raise ValueError(
                f"descriptors: expected vectors of dimension {self.means.shape[1]}, got shape {x.shape}"
            )
        squares = x**2 @ inverse.T - 2 * x @ (self.means * inverse).T
        squares += (self.means**2 * inverse).sum(axis=1)
        constant = np.log(2 * np.pi * self.variances).sum(axis=1)
        found: NDArray[np.float64] = np.log(weights) - (squares + constant) / 2
        return found

    def posteriors(self, descriptors: ArrayLike) -> NDArray[np.float64]:
        """Which Gaussian a descriptor comes from, float64 (n, k): rows add to one."""
        logs = self.log_likelihoods(descriptors)
        shifted = np.exp(logs - logs.max(axis=1, keepdims=True))
        found: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
        return found

    def gradient(self, descriptors: ArrayLike) -> NDArray[np.float64]:
        """The gradient, float64 (k * d,) or (2 * k * d,), before power law and normalisation."""
        x = as_vectors(descriptors, "descriptors", empty=True).astype(np.float64)
        scale = np.sqrt(self.variances)
        first, second = np.zeros_like(scale), np.zeros_like(scale)
        for at in range(0, len(x), _BLOCK):
            part = x[at : at + _BLOCK]
            posteriors = self.posteriors(part)
            totals = posteriors.sum(axis=0)[:, None]
            sums, squares = posteriors.T @ part, posteriors.T @ part**2
            first += (sums - totals * self.means) / scale
            second += (
                squares - 2 * sums * self.means + totals * self.means**2
            ) / self.variances - totals
        n = max(len(x), 1)
        root = np.sqrt(self.weights)[:, None]
        first /= n * root
        second /= n * np.sqrt(2) * root
        if self.gradients == "means":
            return first.ravel()
        return np.concatenate([first.ravel(), second.ravel()])

    def transform(self, photos: Sequence[Any]) -> Vectors:
        """One vector of length one for each photo, float32 (n, k * d) or (n, 2 * k * d).

        photos : for each photo its local descriptors (n_i, d). A photo without any becomes zero.
        """
        size = self.weights.size and self.means.size * (1 if self.gradients == "means" else 2)
        out = np.zeros((len(photos), size), np.float32)
        for row, photo in enumerate(photos):
            x = as_vectors(photo, f"photos[{row}]", dim=self.means.shape[1], empty=True)
            if not len(x):
                continue
            found = self.gradient(x)
            if self.power != 1.0:
                found = np.sign(found) * np.abs(found) ** self.power
            norm = np.linalg.norm(found)
            out[row] = found / norm if norm > 0 else found
        return out

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        if not ((self.variances > 0).all() and (self.weights > 0).all()):
            raise FileFormatError("array 'variances': expected finite numbers above 0")
