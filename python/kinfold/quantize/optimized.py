"""Optimized product quantization: the rotation in which a product quantizer loses least."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_choice, as_count, as_vectors
from kinfold.base.estimator import Transformer, not_trained
from kinfold.base.progress import progress
from kinfold.base.random import generator
from kinfold.base.state import (
    JSON,
    Arrays,
    add_prefix,
    check_only,
    strip_prefix,
    take,
    take_param,
)
from kinfold.quantize.allocation import allocate, subspace_sizes
from kinfold.quantize.kmeans import lift
from kinfold.quantize.product import ProductQuantizer
from kinfold.transform.eigen import leading
from kinfold.transform.moments import Moments
from kinfold.transform.rotation import Rotation

METHODS = ("non-parametric", "parametric")


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
    """

    kind: ClassVar[str] = "quantize.OPQ"

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
        self.m = as_count(m, "m", most=1 << 16)
        self.dim = None if dim is None else as_count(dim, "dim", least=self.m)
        self.bits = ProductQuantizer(self.m, bits=bits).bits
        self.method = as_choice(method, "method", METHODS)
        self.iterations = as_count(iterations, "iterations", least=0)
        self.sample = as_count(sample, "sample")
        self.seed = as_count(seed, "seed", least=0)
        self.verbose = bool(verbose)
        self.history: list[float] = []
        self._map: Rotation | None = None
        self._quantizer: ProductQuantizer | None = None

    @property
    def rotation(self) -> Vectors:
        """float32 (dim, d), orthonormal rows."""
        return self._trained.matrix

    @property
    def quantizer(self) -> ProductQuantizer:
        """The product quantizer of rotated vectors."""
        if self._quantizer is None:
            raise not_trained("OPQ: call fit first")
        return self._quantizer

    @property
    def _trained(self) -> Rotation:
        if self._map is None:
            raise not_trained("OPQ: call fit first")
        return self._map

    @property
    def _n_features_out(self) -> int:
        return len(self.rotation)

    def fit(self, x: Any, y: Any = None) -> OPQ:
        """Learn the rotation from vectors (n, d), at least as many as a subquantizer has codewords."""
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
        self._quantizer = first.adopt(books, keep)
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

    def transform(self, x: Any) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,)."""
        self._check_names(x)
        return self._trained.transform(x)

    def inverse_transform(self, y: Any) -> Vectors:
        """Back to (n, d), or (d,)."""
        return self._trained.inverse_transform(y)

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "m": self.m, "dim": self.dim, "bits": self.bits, "method": self.method,
            "iterations": self.iterations, "sample": self.sample, "seed": self.seed,
            "quantizer": self.quantizer.params(),
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """Rotation, codebooks, history."""
        return {
            **add_prefix("map", self._trained.arrays()),
            **add_prefix("quantizer", self.quantizer.arrays()),
            "history": np.asarray(self.history, np.float64),
        }

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> OPQ:
        """A trained rotation from its parts."""
        names = {"m", "dim", "bits", "method", "iterations", "sample", "seed", "quantizer"}
        check_only(params, names, "parameters")
        check_only(
            {n: 0 for n in arrays if not n.startswith(("map.", "quantizer."))},
            {"history"},
            "arrays",
        )
        opq = cls(
            take_param(params, "m", int),
            take_param(params, "dim", (int, type(None))),
            bits=take_param(params, "bits", int),
            method=take_param(params, "method", str),
            iterations=take_param(params, "iterations", int),
            sample=take_param(params, "sample", int),
            seed=take_param(params, "seed", int),
        )
        opq._map = Rotation.from_state({}, strip_prefix("map", arrays))
        opq._quantizer = ProductQuantizer.from_state(
            take_param(params, "quantizer", dict), strip_prefix("quantizer", arrays)
        )
        opq.n_features_in_ = opq._map.matrix.shape[1]
        opq.history = take(arrays, "history", np.float64, (None,)).tolist()
        if opq._quantizer.dim != len(opq._map.matrix):
            raise ValueError("quantizer: another dimension than the rotation's")
        return opq


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
