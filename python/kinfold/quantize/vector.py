"""Vector quantization: the number of the nearest of k centroids stands for a vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_count, as_vectors
from kinfold.base.state import JSON, Arrays, Restorable
from kinfold.quantize.kmeans import KMeans, assign


class VectorQuantizer(Restorable):
    """A flat codebook of k codewords.

    k : codewords; a code has ceil(log2 k) bits
    iterations, sample, seed, verbose : as for KMeans; sample counts training vectors a codeword
    Lloyd, IEEE Trans. Information Theory 1982; Gray, IEEE ASSP Magazine 1984.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> quantizer = kf.VectorQuantizer(4, verbose=False).fit(x)
    >>> quantizer.decode(quantizer.encode(x)).shape
    (200, 8)
    """

    kind: ClassVar[str] = "quantize.VQ"

    def __init__(
        self,
        k: int,
        *,
        iterations: int = 25,
        sample: int | None = None,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self._means = KMeans(k, iterations=iterations, sample=sample, seed=seed, verbose=verbose)

    def __repr__(self) -> str:
        return f"VectorQuantizer({self.k})"

    @property
    def k(self) -> int:
        """Codewords."""
        return self._means.k

    @property
    def code_bits(self) -> int:
        """Bits of a code."""
        return (self.k - 1).bit_length()

    @property
    def codebook(self) -> Vectors:
        """float32 (k, d)."""
        return self._means.centroids

    def fit(self, x: ArrayLike) -> VectorQuantizer:
        """Learn the codebook from at least k vectors (n, d)."""
        self._means.fit(x)
        return self

    def encode(self, x: ArrayLike) -> Ids:
        """The nearest codeword of each vector, int64 (n,): argmin ||x - c||^2, ties to the smaller."""
        vectors = as_vectors(x, "x", dim=self.codebook.shape[1], empty=True)
        return assign(vectors, self.codebook)[0] if len(vectors) else np.empty(0, np.int64)

    def decode(self, codes: ArrayLike) -> Vectors:
        """The codewords of codes, float32 (n, d)."""
        return self.codebook[self._codes(codes)]

    def distances(self, queries: ArrayLike, codes: ArrayLike) -> Vectors:
        """Squared distances of queries to what codes stand for, float32 (q, n): one look-up each."""
        vectors = as_vectors(queries, "queries", dim=self.codebook.shape[1], empty=True)
        at = self._codes(codes)
        out = np.empty((len(vectors), len(at)), np.float32)
        for row, query in zip(out, vectors):
            gaps = self.codebook - query
            row[:] = np.einsum("ij,ij->i", gaps, gaps)[at]
        return out

    def distortion(self, x: ArrayLike) -> float:
        """Mean squared distance of vectors to their codewords."""
        vectors = as_vectors(x, "x", dim=self.codebook.shape[1])
        return float(assign(vectors, self.codebook)[1].mean(dtype=np.float64))

    def _codes(self, codes: Any) -> NDArray[np.int64]:
        array = as_array(codes, "codes") if np.size(codes) else np.empty(0, np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(f"codes: expected whole numbers (n,), got {array.dtype} {array.shape}")
        if array.size and (array.min() < 0 or array.max() >= self.k):
            raise ValueError(f"codes: expected numbers from 0 to {self.k - 1}")
        return array.astype(np.int64, copy=False)

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return self._means.params()

    def arrays(self) -> Arrays:
        """The codebook and the history of its error."""
        return self._means.arrays()

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> VectorQuantizer:
        """A quantizer from its parts."""
        means = KMeans.from_state(params, arrays)
        quantizer = cls(as_count(means.k, "k"))
        quantizer._means = means
        return quantizer
