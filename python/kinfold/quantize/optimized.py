"""Optimized product quantization: the rotation in which a product quantizer loses least."""

from __future__ import annotations

import math
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


class OPQ(Transformer):
    """A rotation, perhaps with a reduction of dimension, for a product quantizer (Ge, He, Ke & Sun, PAMI 2014).

    Parameters
    ----------
    m : subquantizers of the product quantizer that follows
    dim : dimensions to keep; all where None
    bits : of each subquantizer, 8 or 4
    method : "parametric": principal directions, allocated to the subspaces so that their products of variances are
        equal, which is best for Gaussian data; "non-parametric": from there, alternate codebooks and the rotation that
        brings the vectors nearest to their codes (orthogonal Procrustes)
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
        iterations: int = 50,
        sample: int = 65536,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.m, self.dim, self.bits, self.method = m, dim, bits, method
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

    def fit(self, x: ArrayLike, y: ArrayLike | None = None) -> OPQ:
        """Learn the rotation from vectors (n, d), at least as many as a subquantizer has codewords.

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
        if n > self.sample:
            rows = generator(self.seed).choice(n, max(self.sample, k), replace=False)
            vectors = vectors[np.sort(rows)]
        if power := lift(vectors):
            vectors = np.ldexp(vectors, power)  # exact, and undone at the end
        principal = parametric_rotation(_covariance(vectors), self.m, keep)
        inner = vectors @ principal.T
        first = ProductQuantizer(
            self.m, bits=self.bits, iterations=8 if self.method == "non-parametric" else 25,
            seed=self.seed, verbose=self.verbose,
        ).fit(inner)  # fmt: skip
        rotation, books = np.eye(keep), first.codebooks
        self.history = []
        if self.method == "non-parametric":
            rotation, books = self._alternate(inner, books)
        if power:
            books = np.ldexp(books, -power)
            self.history = [math.ldexp(value, -2 * power) for value in self.history]
        self._map = Rotation(rotation @ principal)
        self.quantizer = first.adopt(books, keep)
        self.n_features_in_ = d
        return self

    def _alternate(self, inner: Vectors, books: Vectors) -> tuple[NDArray[np.float64], Vectors]:
        dim = inner.shape[1]
        sizes = subspace_sizes(dim, self.m)
        books = books.copy()
        rotation = np.eye(dim)
        labels: list[Any] = [None] * self.m
        decoded = np.empty_like(inner)
        # Sums of many large products would overflow; their size does not matter.
        small = np.ldexp(inner, -64) if np.abs(inner).max() > 2**40 else inner
        for step in progress(range(self.iterations), "OPQ", verbose=self.verbose):
            rotated = inner @ rotation.T.astype(np.float32)
            if step:
                self.history.append(_gap(rotated, decoded))
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
            self.history.append(_gap(rotated, decoded))
            # argmin ||X R^T - D||: R = U V^T for D^T X = U S V^T (orthogonal Procrustes).
            u, _, vt = np.linalg.svd((decoded.T @ small).astype(np.float64))
            rotation = u @ vt
        rotated = inner @ rotation.T.astype(np.float32)
        if self.iterations:
            self.history.append(_gap(rotated, decoded))
        final = ProductQuantizer(
            self.m, bits=self.bits, iterations=1, sample=1 << 20, seed=self.seed, verbose=False
        )
        return rotation, final.fit(rotated, start=books).codebooks

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
