"""Principal component analysis and PCA-whitening."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Vectors,
    as_answer,
    as_ndarray,
    as_number,
    as_vectors,
    is_one,
)
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Extra, Figure, Learnt
from kinfold.base.parameters import Choice, Count, Maybe, Number, Parameter
from kinfold.base.random import generator
from kinfold.base.spelling import Spelt
from kinfold.base.state import JSON, Arrays
from kinfold.transform.directions import gram_directions, ledoit_wolf, randomized
from kinfold.transform.eigen import leading
from kinfold.transform.moments import Moments, rest_of, without

_Matrix = NDArray[np.float64]
SOLVERS = ("exact", "randomized")


def _as_whiten(x: Any, name: str) -> bool | float:
    return bool(x) if isinstance(x, (bool, np.bool_)) else as_number(x, name, least=0, most=1)


def _as_share(x: Any, name: str) -> float | str:
    same = isinstance(x, str) and x == "ledoit-wolf"
    return x if same else as_number(x, name, least=0, most=1)


class PCA(Transformer):
    """Project onto the directions of largest variance, and optionally even the variances out.

    The covariance is divided by n. Of each component the entry of largest magnitude is positive. Where there
    are fewer vectors than dimensions the Gram matrix (n, n) is decomposed instead of the covariance, so that
    1,000 vectors of 8,192 dimensions take a second.

    Parameters
    ----------
    dim : components to keep; None for all that the data have, min(n - 1, d)
    whiten : divide each component by variance^exponent: True is 0.5, full whitening, variances become one;
        0.25 is gentler; False or 0 none. Jegou & Chum, ECCV 2012
    floor : variances below this share of the largest count as that much when whitening
    shrinkage : pull the covariance towards a multiple of the identity before whitening, by a share in [0, 1],
        or "ledoit-wolf" for the share that Ledoit & Wolf (2004) derive from the data. Worth it where n is
        small beside d: sample variances of the weak directions are then far too small, and whitening
        blows up their noise. Components stay the same.
    solver : "exact"; or "randomized" (Halko, Martinsson & Tropp, SIAM Review 2011, algorithms 4.4 and 5.1): few
        components of large matrices from products with the vectors alone, without covariance or Gram matrix
    seed : of the randomized solver

    Follows scikit-learn's conventions. `partial_fit` learns from vectors that come in pieces, exactly.

    Attributes
    ----------
    mean : float32 (d,)
    components : float32 (dim, d), orthonormal rows
    variances : float64 (dim,), falling; after shrinkage
    total_variance : sum over all d dimensions; shrinkage keeps it

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.PCA(3).fit(x).transform(x).shape
    (200, 3)
    """

    kind: ClassVar[str] = "transform.PCA"

    dim = Maybe(Count())
    whiten = Parameter(_as_whiten, (bool, int, float), "True, False, number from 0 to 1")
    floor = Number(0, 1)
    shrinkage = Parameter(_as_share, (int, float, str), "number from 0 to 1, 'ledoit-wolf'")
    solver = Choice(*SOLVERS).since("exact")
    seed = Count(least=0).since(0)
    _mean = Learnt(np.float32, ("n_features_in_",))
    _components = Learnt(np.float32, ("dim", "n_features_in_"))
    _variances = Learnt(np.float64, ("dim",), finite=True)
    _total_variance = Figure()
    _rest = Extra(np.float32, ("n_features_in_",))
    _CHECKED_LATE = True
    # Of partial_fit: what came so far, and whether the components are behind it.
    _moments: Moments | None = None
    _stale = False

    def __init__(
        self,
        dim: int | None = None,
        *,
        whiten: bool | float = False,
        floor: float = 1e-6,
        shrinkage: float | str = 0.0,
        solver: str = "exact",
        seed: int = 0,
    ) -> None:
        self.dim, self.whiten, self.floor = dim, whiten, floor
        self.shrinkage, self.solver, self.seed = shrinkage, solver, seed

    @classmethod
    def from_word(cls, spelt: Spelt) -> PCA:
        """PCA64, or PCAW64, whitened."""
        return cls(spelt.numbers["dim"], whiten=spelt.word.startswith("PCAW"))

    @property
    def exponent(self) -> float:
        """Variances are divided out to this power: 0.5 is full whitening."""
        return (
            0.5 * self.whiten if isinstance(self.whiten, (bool, np.bool_)) else float(self.whiten)
        )

    @property
    def mean(self) -> Vectors:
        """The mean of the vectors that were fitted, float32 (d,)."""
        if self._stale and self._moments is not None:
            self._from_moments(self._moments)
        return self._mean

    @property
    def components(self) -> Vectors:
        """Orthonormal rows, float32 (dim, d), by falling variance."""
        _ = self.mean
        return self._components

    @property
    def variances(self) -> _Matrix:
        """Variance along each component, float64 (dim,), after shrinkage."""
        _ = self.mean
        return self._variances

    @property
    def total_variance(self) -> float:
        """The sum of the variances of all dimensions."""
        _ = self.mean
        return self._total_variance

    @property
    def mean_(self) -> Vectors:
        """The mean float32 (d,), by scikit-learn's name."""
        return self.mean

    @property
    def components_(self) -> Vectors:
        """The components float32 (dim, d), by scikit-learn's name."""
        return self.components

    @property
    def n_components_(self) -> int:
        """How many components there are."""
        return len(self.components)

    @property
    def explained_variance_(self) -> _Matrix:
        """The variances, by scikit-learn's name; divided by n, not n - 1."""
        return self.variances

    @property
    def explained_variance_ratio_(self) -> _Matrix:
        """The share of the total variance along each component, float64 (dim,)."""
        total = self.total_variance
        return self.variances / total if total > 0 else np.zeros(len(self.variances))

    @property
    def _n_features_out(self) -> int:
        return len(self.components)

    @property
    def scales(self) -> Vectors:
        """What the components are multiplied by, float32 (dim,): max(variance, floor)^-exponent."""
        return self._scales(self.variances)

    def _scales(self, variances: _Matrix) -> Vectors:
        variances = np.maximum(variances, self.floor * variances.max(initial=0))
        # A direction without any variance, even after the floor, is left as it is.
        powers = np.where(variances > 0, variances, 1) ** -self.exponent
        with np.errstate(over="ignore"):
            return powers.astype(np.float32)

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> PCA:
        """Learn from vectors (n, d), at least two, and more than dim of them."""
        self._check_params()
        vectors = as_samples(X)
        n, d = vectors.shape
        keep = self._checked_dim(n, d)
        share = self.shrinkage
        if self.solver == "randomized":
            mean, components, variances, total = randomized(vectors, keep, generator(self.seed))
        else:
            if n > d:
                moments = Moments(d)
                moments.add(vectors)
                mean, matrix = moments.mean, moments.covariance()
                variances, components = leading(matrix, keep)
            else:
                mean = vectors.mean(axis=0, dtype=np.float64)
                centred = vectors - mean
                matrix = centred @ centred.T / n
                variances, weights = leading(matrix, keep)
                components = gram_directions(centred, weights, variances)
            total = float(np.trace(matrix))
            if isinstance(share, str):
                share = ledoit_wolf(vectors, mean, matrix)
        self._adopt(mean, components, variances, total, float(share))
        self._moments = None
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> PCA:
        """Learn from vectors (n, d) and all those of the calls before; the same as fit on all of them.

        What was learnt by `fit` or loaded cannot be continued: ValueError. Memory 8 d^2 bytes, which are not saved.
        """
        self._check_params()
        if isinstance(self.shrinkage, str):
            raise ValueError("shrinkage: expected a number for partial_fit, got ledoit-wolf")
        vectors = as_samples(X)
        if self._moments is None:
            if hasattr(self, "_mean"):
                raise ValueError("partial_fit: what was fitted whole, or loaded, cannot go on")
            self._moments, self.n_features_in_ = Moments(vectors.shape[1]), vectors.shape[1]
        moments = copy.deepcopy(self._moments)
        moments.add(self._of_fitted_dimension(vectors))
        self._moments = moments
        self._stale = True
        return self

    def fit_chunks(self, chunks: Iterable[Any]) -> PCA:
        """Learn from arrays (n_i, d) that come one after the other; the same as fit on all of them.

        Raises ValueError for no array, and where the shrinkage needs all vectors at once.
        """
        if isinstance(self.shrinkage, str):
            raise ValueError(
                "shrinkage: expected a number when fitting chunks; ledoit-wolf needs all vectors at once"
            )
        self._check_params()
        moments: Moments | None = None
        for chunk in chunks:
            dim = None if moments is None else len(moments.mean)
            vectors = as_vectors(chunk, "chunks", dim=dim, empty=True)
            if moments is None:
                moments = Moments(vectors.shape[1])
            moments.add(vectors)
        if moments is None:
            raise ValueError("chunks: expected at least one array of vectors, got none")
        self._from_moments(moments)
        self._moments = None
        return self

    def transform(self, x: ArrayLike) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,)."""
        d = len(self.mean)
        given, x = x, as_ndarray(x, "x")
        many = x.ndim == 2 and len(x) > 0
        vectors = self._samples(given) if many else as_vectors(x, "x", dim=d, empty=True, one=True)
        mean, projection = self.affine()
        rest = without(self._rest, projection)
        projected = as_answer(_core.quantize.linear(vectors, mean, projection, rest), "x")
        return projected[0] if x.ndim == 1 else projected

    def affine(self) -> tuple[Vectors, Vectors]:
        """Mean (d,) and projection (d, dim), float32, with which transform(x) is (x - mean) @ projection."""
        return self.mean, np.ascontiguousarray(self.components.T * self.scales)

    def inverse_transform(self, y: ArrayLike) -> Vectors:
        """The vectors (n, d) nearest to projected ones (n, dim), or (d,) of one (dim,)."""
        projected = as_vectors(y, "y", dim=len(self.components), empty=True, one=True)
        with np.errstate(over="ignore", invalid="ignore"):
            back = np.ascontiguousarray(self.components / self.scales[:, None])
        vectors = as_answer(_core.quantize.linear(projected, None, back, self.mean), "y")
        return vectors[0] if is_one(y, "y") else vectors

    def _goes_on(self) -> bool:
        return self._moments is not None

    def params(self) -> dict[str, JSON]:
        chosen = {**super().params(), "whiten": self.exponent}
        if (
            self.solver == "exact"
        ):  # a file says nothing of it: that is what files without these mean
            del chosen["solver"], chosen["seed"]
        return chosen

    def arrays(self) -> Arrays:
        _ = self.mean  # of what came by pieces, too
        return super().arrays()

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        if self._variances.min() < 0:
            raise FileFormatError("array 'variances': expected finite numbers >= 0, at least one")

    def _check_params(self) -> None:
        super()._check_params()
        if self.shrinkage == "ledoit-wolf" and self.solver == "randomized":
            raise ValueError("shrinkage: expected a number for the randomized solver")

    def _from_moments(self, moments: Moments) -> None:
        keep = self._checked_dim(moments.count, len(moments.mean))
        matrix = moments.covariance()
        variances, components = leading(matrix, keep)
        self._adopt(
            moments.mean, components, variances, float(np.trace(matrix)), float(self.shrinkage)
        )

    def _checked_dim(self, n: int, d: int) -> int:
        if n < 2:
            raise ValueError(f"x: expected at least 2 vectors, got n_samples = {n}")
        most = min(n - 1, d)
        if self.dim is not None and self.dim > most:
            raise ValueError(
                f"dim: expected at most {most} for {n} vectors of dimension {d}, got {self.dim}"
            )
        return most if self.dim is None else self.dim

    def _adopt(
        self, mean: _Matrix, components: _Matrix, variances: _Matrix, total: float, share: float
    ) -> None:
        """Components (dim, d) with their variances, and the total variance, after shrinkage by a share."""
        keep, d = components.shape
        variances = (1 - share) * np.maximum(variances, 0) + share * (total / d)
        if not np.isfinite(self._scales(variances)).all():
            raise ValueError(
                "X: expected vectors whose inverse spread float32 can hold, got standard deviations down to "
                f"{np.sqrt(variances[variances > 0].min()):.1g}"
            )
        self._total_variance = total
        largest = np.abs(components).argmax(axis=1)
        signs = np.where(components[np.arange(keep), largest] < 0, -1.0, 1.0)
        self._variances = variances
        self._components = np.ascontiguousarray(components * signs[:, None], dtype=np.float32)
        self._mean = mean.astype(np.float32)
        projection = self._components.T * self._scales(variances)
        sizes = np.sqrt(variances) * self._scales(variances)
        self._rest = rest_of(mean, projection, np.maximum(sizes, 1e-3 * sizes.max()))
        self.n_features_in_ = d
        self._stale = False
