"""Optimized product quantization: the rotation in which a product quantizer loses least."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_count, as_vectors
from kinfold.base.estimator import Transformer
from kinfold.base.learnt import Part, Series
from kinfold.base.parameters import Choice, Count, Flag, Maybe
from kinfold.base.progress import progress
from kinfold.base.random import generator
from kinfold.quantize.allocation import allocate, subspace_sizes
from kinfold.quantize.kmeans import lift
from kinfold.quantize.product import ProductQuantizer
from kinfold.transform.eigen import leading
from kinfold.transform.moments import Moments
from kinfold.transform.rotation import Rotation

# Starts are compared by so many alternations on so many vectors a codeword, of which each fourth is held out.
_TRIED = 8
_TRIED_SAMPLE = 48
# Iterations of k-means before the first alternation, and where there is none.
_BEFORE, _ALONE = 8, 25


class OPQ(Transformer):
    """A rotation, perhaps with a reduction of dimension, for a product quantizer (Ge, He, Ke & Sun, PAMI 2014).

    Parameters
    ----------
    m : subquantizers of the product quantizer that follows
    dim : dimensions to keep; all where None
    bits : of each subquantizer, 8 or 4
    method : "parametric": principal directions, allocated to the subspaces so that their products of variances are
        equal, which is best for Gaussian data; "non-parametric": alternate codebooks and the rotation that brings the
        vectors nearest to their codes (orthogonal Procrustes)
    start : where the alternation begins. "identity": at the dimensions as they stand, which keeps what they group (as
        those of SIFT do); "parametric": at the solution of that name, the only one where ``dim`` reduces; "best": at
        the one that loses less after a few alternations on vectors held out, or no rotation where that loses least
    iterations : alternations
    sample : training vectors at most
    seed, verbose : as for ProductQuantizer

    Attributes
    ----------
    rotation : float32 (dim, d), orthonormal rows
    quantizer : the ProductQuantizer that was learnt along, for rotated vectors
    history : mean squared error after each step, codebooks and rotation by turns

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((1000, 8))
    >>> kf.OPQ(4, bits=4, iterations=2, verbose=False).fit(x).transform(x).shape
    (1000, 8)
    """

    kind: ClassVar[str] = "quantize.OPQ"

    m = Count(most=1 << 16)
    dim = Maybe(Count())
    bits = Choice(4, 8)
    method = Choice("non-parametric", "parametric")
    start = Choice("best", "identity", "parametric").since("parametric")
    iterations = Count(least=0)
    sample = Count()
    seed = Count(least=0)
    verbose = Flag().unsaved()
    _map = Part(Rotation, bare=True)
    quantizer = Part(ProductQuantizer)
    history = Series()

    def __init__(
        self,
        m: int,
        dim: int | None = None,
        *,
        bits: int = 8,
        method: str = "non-parametric",
        start: str = "best",
        iterations: int = 50,
        sample: int = 65536,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.m, self.dim, self.bits, self.method, self.start = m, dim, bits, method, start
        self.iterations, self.sample, self.seed, self.verbose = iterations, sample, seed, verbose
        if self.dim is not None:
            as_count(self.dim, "dim", least=self.m)

    @property
    def rotation(self) -> Vectors:
        """float32 (dim, d), orthonormal rows."""
        return self._map.matrix

    @property
    def _n_features_out(self) -> int:
        return len(self.rotation)

    def fit(
        self, x: ArrayLike, y: ArrayLike | None = None, *, start: ArrayLike | None = None
    ) -> OPQ:
        """Learn the rotation from vectors (n, d), at least as many as a subquantizer has codewords.

        start : a rotation (dim, d), orthonormal rows, that the alternation begins at in place of the one chosen
        Raises ValueError for fewer.
        """
        vectors = as_vectors(x, "x")
        n, d = vectors.shape
        keep = d if self.dim is None else self.dim
        k = 1 << self.bits
        if n < max(k, 2):
            raise ValueError(f"x: expected at least {max(k, 2)} vectors, got {n}")
        if not self.m <= keep <= d:
            raise ValueError(f"dim: expected from m = {self.m} to the dimension {d}, got {keep}")
        if self.start == "identity" and (keep < d or self.method == "parametric"):
            raise ValueError('start: "identity" is for alternations that keep all dimensions')
        if start is not None:
            start = self._checked_start(start, (keep, d))
        if n > self.sample:
            rows = generator(self.seed).choice(n, max(self.sample, k), replace=False)
            vectors = vectors[np.sort(rows)]
        if power := lift(vectors):
            vectors = np.ldexp(vectors, power)  # exact, and undone at the end
        begin, steps = self._begin(vectors, keep) if start is None else (start, self.iterations)
        rotation, books, history = self._learn(vectors, begin, steps)
        if power:
            books = np.ldexp(books, -power)
            history = [math.ldexp(value, -2 * power) for value in history]
        self.history = history
        self._map = Rotation(rotation)
        self.quantizer = self._plain(steps).adopt(books, keep)
        self.n_features_in_ = d
        return self

    def _checked_start(self, given: ArrayLike, shape: tuple[int, int]) -> Vectors:
        if self.method == "parametric":
            raise ValueError(
                'start: expected none for method="parametric", which does not alternate'
            )
        rotation = as_vectors(given, "start")
        if rotation.shape != shape:
            raise ValueError(f"start: expected a rotation {shape}, got {rotation.shape}")
        exact = rotation.astype(np.float64)
        if np.abs(exact @ exact.T - np.eye(len(exact))).max() > 1e-3:
            raise ValueError("start: expected orthonormal rows")
        return rotation

    def _begin(self, x: Vectors, keep: int) -> tuple[Vectors, int | None]:
        """Where to begin, and how many alternations there are to be; None: the rotation stays."""
        k, d = 1 << self.bits, x.shape[1]
        identity = np.eye(d, dtype=np.float32)
        if self.start == "identity":
            return identity, self.iterations
        principal = parametric_rotation(_covariance(x), self.m, keep)
        if self.method == "parametric":
            return principal, None
        if self.start == "parametric" or keep < d:
            return principal, self.iterations
        some = x[np.linspace(0, len(x) - 1, min(len(x), _TRIED_SAMPLE * k)).astype(np.intp)]
        held = np.arange(len(some)) % 4 == 3
        learn, test = some[~held], some[held]
        if len(learn) < k:
            learn = test = some

        def lost(begin: Vectors, steps: int | None) -> float:
            tried = None if steps is None else min(steps, _TRIED)
            rotation, books, _ = self._learn(learn, begin, tried, trial=True)
            return self._plain(tried).adopt(books, d).distortion(test @ rotation.T)

        starts = [(identity, self.iterations), (principal, self.iterations), (identity, None)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that vectors are few is said of all of them, later
            return min(starts, key=lambda pair: lost(*pair))

    def _plain(self, steps: int | None, *, verbose: bool = False) -> ProductQuantizer:
        """What the alternations begin with, or, where there are none, end with."""
        iterations = _ALONE if steps is None else _BEFORE
        return ProductQuantizer(
            self.m, bits=self.bits, iterations=iterations, seed=self.seed, verbose=verbose
        )

    def _learn(
        self, x: Vectors, begin: Vectors, steps: int | None, *, trial: bool = False
    ) -> tuple[Vectors, Vectors, list[float]]:
        """The rotation (dim, d), codebooks and history of so many alternations; None: the rotation stays."""
        inner = x @ begin.T
        first = self._plain(steps, verbose=self.verbose and not trial)
        books = first.fit(inner).codebooks
        if steps is None:
            return begin, books, []
        rotation, books, history = self._alternate(inner, books, steps, trial)
        return (rotation @ begin).astype(np.float32), books, history

    def _alternate(
        self, inner: Vectors, books: Vectors, steps: int, trial: bool
    ) -> tuple[NDArray[np.float64], Vectors, list[float]]:
        dim = inner.shape[1]
        sizes = subspace_sizes(dim, self.m)
        books = books.copy()
        rotation = np.eye(dim)
        labels: list[Any] = [None] * self.m
        decoded = np.empty_like(inner)
        # Sums of many large products would overflow; their size does not matter.
        small = np.ldexp(inner, -64) if np.abs(inner).max() > 2**40 else inner
        history: list[float] = []
        for step in progress(range(steps), "OPQ", verbose=self.verbose and not trial):
            rotated = inner @ rotation.T.astype(np.float32)
            if step:
                history.append(_gap(rotated, decoded))
            at = 0
            for j, size in enumerate(sizes):
                if size == 0:
                    continue
                part = slice(at, at + size)
                at += size
                clustering = _core.quantize.Clustering(np.ascontiguousarray(rotated[:, part]))
                words = np.ascontiguousarray(books[j, :, :size])
                labels[j], _ = clustering.assign(words, labels[j])
                words, _ = clustering.update(labels[j], words)
                books[j, :, :size] = words
                decoded[:, part] = words[labels[j]]
            history.append(_gap(rotated, decoded))
            # argmin ||X R^T - D||: R = U V^T for D^T X = U S V^T (orthogonal Procrustes).
            u, _, vt = np.linalg.svd((decoded.T @ small).astype(np.float64))
            rotation = u @ vt
        rotated = inner @ rotation.T.astype(np.float32)
        if steps:
            history.append(_gap(rotated, decoded))
        final = ProductQuantizer(
            self.m, bits=self.bits, iterations=1, sample=1 << 20, seed=self.seed, verbose=False
        )
        return rotation, final.fit(rotated, start=books).codebooks, history

    def transform(self, x: ArrayLike) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,)."""
        self._check_names(x)
        return self._map.transform(x)

    def inverse_transform(self, y: ArrayLike) -> Vectors:
        """Back to (n, d), or (d,)."""
        return self._map.inverse_transform(y)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        self.n_features_in_ = self.rotation.shape[1]
        if self.quantizer.dim != len(self.rotation):
            raise ValueError("quantizer: another dimension than the rotation's")


def _gap(a: Vectors, b: Vectors) -> float:
    """The mean squared distance of rows."""
    gap = a - b
    return float(np.einsum("ij,ij->i", gap, gap).mean(dtype=np.float64))


def _covariance(x: Vectors) -> NDArray[np.float64]:
    moments = Moments(x.shape[1])
    moments.add(x)
    return moments.covariance()


def parametric_rotation(covariance: NDArray[np.float64], m: int, dim: int) -> Vectors:
    """Principal directions (dim, d), ordered so that m subspaces have balanced products of variances."""
    variances, directions = leading(covariance, dim)
    order = np.concatenate(allocate(np.maximum(variances, 0), m))
    rows = directions[order]
    largest = np.abs(rows).argmax(axis=1)
    signs = np.where(rows[np.arange(dim), largest] < 0, -1.0, 1.0)
    return (rows * signs[:, None]).astype(np.float32)
