"""Product quantization: a vector as one small code for each of m subspaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_array, as_count, as_vectors
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.metrics import as_metric
from kinfold.base.parameters import Choice, Count, Flag
from kinfold.base.progress import progress
from kinfold.base.random import generator
from kinfold.quantize.kmeans import KMeans, warn_of_few
from kinfold.quantize.sixteens import in_sixteens

Codes = NDArray[np.uint8]
# Vectors whose subspaces are worked on at once.
_ROWS = 65536


class ProductQuantizer(Declared):
    """m codebooks of 2^bits codewords each (Jegou, Douze & Schmid, PAMI 2011).

    Parameters
    ----------
    m : subquantizers; where m does not divide the dimension, vectors are padded by zeros at the end
    bits : 8 (256 codewords) or 4 (16 codewords)
    iterations : of k-means
    sample : training vectors a codeword, at most
    seed : for the sample and the starts of k-means
    verbose : show progress on a terminal

    Attributes
    ----------
    codebooks : float32 (m, 2^bits, s) with s = ceil(d / m)
    dim : d
    code_size : bytes of a code: m, or ceil(m / 2) for 4 bits, the even subquantizer in the low half of a byte

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((1000, 8))
    >>> quantizer = kf.ProductQuantizer(4, bits=4, verbose=False).fit(x)
    >>> codes = quantizer.encode(x)
    >>> codes.shape, quantizer.decode(codes).shape
    ((1000, 2), (1000, 8))
    """

    kind: ClassVar[str] = "quantize.PQ"

    m = Count(most=1 << 16)
    bits = Choice(4, 8)
    iterations = Count(least=0)
    sample = Count()
    seed = Count(least=0)
    verbose = Flag().unsaved()
    dim = Count(least=0)
    codebooks = Learnt(np.float32, ("m", "k", "_size"))

    def __init__(
        self,
        m: int,
        *,
        bits: int = 8,
        iterations: int = 25,
        sample: int = 256,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.m, self.bits, self.iterations = m, bits, iterations
        self.sample, self.seed, self.verbose = sample, seed, verbose
        self.dim = 0

    @property
    def k(self) -> int:
        """Codewords of a subquantizer."""
        return 1 << self.bits

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return (self.m * self.bits + 7) // 8

    @property
    def _size(self) -> int:
        return -(-self.dim // self.m)

    def fit(self, x: ArrayLike, start: ArrayLike | None = None) -> ProductQuantizer:
        """Learn the codebooks from vectors (n, d), n at least 2^bits and d at least m.

        start : codebooks (m, 2^bits, s) to go on from; random vectors where None
        Raises ValueError for fewer.
        """
        vectors = as_vectors(x, "x")
        n, d = vectors.shape
        if n < self.k:
            raise ValueError(f"x: expected at least 2**bits = {self.k} vectors, got {n}")
        if d < self.m:
            raise ValueError(f"m: expected at most the dimension {d}, got {self.m}")
        if start is None:
            warn_of_few(n, self.k)
        random = generator(self.seed)
        if n > self.sample * self.k:
            vectors = vectors[np.sort(random.choice(n, self.sample * self.k, replace=False))]
        size = -(-d // self.m)
        books = np.zeros((self.m, self.k, size), np.float32)
        if start is not None:
            begin = np.ascontiguousarray(start, dtype=np.float32)
            if begin.shape != books.shape or not np.isfinite(begin).all():
                raise ValueError(f"start: expected {books.shape} finite numbers, got {begin.shape}")
        for j in progress(range(self.m), "product quantizer", verbose=self.verbose):
            part = _part(vectors, j, size)
            if part.shape[1] == 0:
                continue
            means = KMeans(
                self.k, iterations=self.iterations, init="random", seed=self.seed + j, verbose=False
            )
            given = None if start is None else np.ascontiguousarray(begin[j, :, : part.shape[1]])
            words = means._learn(part, given).centroids
            books[j, :, : part.shape[1]] = in_sixteens(words) if self.bits == 8 else words
        self.dim, self.codebooks = d, books
        return self

    def adopt(self, codebooks: ArrayLike, dim: int) -> ProductQuantizer:
        """Take over codebooks (m, 2^bits, s) that were learnt elsewhere, for vectors of dimension dim.

        Raises ValueError for another shape.
        """
        books = np.ascontiguousarray(codebooks, dtype=np.float32)
        size = -(-as_count(dim, "dim") // self.m)
        if books.shape != (self.m, self.k, size) or not np.isfinite(books).all():
            raise ValueError(
                f"codebooks: expected {(self.m, self.k, size)} finite numbers, got {books.shape}"
            )
        as_vectors(books.reshape(-1, size), "codebooks")
        self.dim, self.codebooks = dim, books
        return self

    def encode(self, x: ArrayLike) -> Codes:
        """The nearest codeword in each subspace: uint8 (n, code_size)."""
        vectors = self._checked(x, "x")
        codes = np.zeros((len(vectors), self.code_size), np.uint8)
        size = self.codebooks.shape[2]
        for first in range(0, len(vectors), _ROWS):
            rows = vectors[first : first + _ROWS]
            out = codes[first : first + _ROWS]
            for j, book in enumerate(self.codebooks):
                part = _part(rows, j, size)
                if part.shape[1] == 0:
                    continue
                words = np.ascontiguousarray(book[:, : part.shape[1]])
                labels = _core.quantize.Clustering(part).assign(words)[0].astype(np.uint8)
                if self.bits == 8:
                    out[:, j] = labels
                else:
                    out[:, j // 2] |= labels << (4 * (j % 2))
        return codes

    def words(self, codes: ArrayLike) -> Codes:
        """Codes (n, code_size) as one number for each subquantizer, uint8 (n, m).

        Raises ValueError for codes of another size.
        """
        array = as_array(codes, "codes")
        if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != self.code_size:
            raise ValueError(
                f"codes: expected uint8 (n, {self.code_size}), got {array.dtype} {array.shape}"
            )
        if self.bits == 8:
            return array
        both = np.stack([array & 15, array >> 4], axis=2)
        return both.reshape(len(array), 2 * self.code_size)[:, : self.m]

    def decode(self, codes: ArrayLike) -> Vectors:
        """The vectors that codes stand for, float32 (n, d)."""
        words = self.words(codes)
        pieces = self.codebooks[np.arange(self.m), words]
        return np.ascontiguousarray(
            pieces.reshape(len(words), self.m * self.codebooks.shape[2])[:, : self.dim]
        )

    def tables(self, queries: ArrayLike, metric: str = "l2") -> Vectors:
        """Distances of each query's pieces to all codewords, float32 (q, m, 2^bits).

        metric : "l2" squared distances, "ip" inner products
        """
        pieces = self._pieces(self._checked(queries, "queries"))
        return self._between(pieces, self.codebooks, metric)

    def sdc_tables(self, metric: str = "l2") -> Vectors:
        """Distances of codewords to each other, float32 (m, 2^bits, 2^bits)."""
        books = self.codebooks.transpose(1, 0, 2)
        return np.ascontiguousarray(self._between(books, self.codebooks, metric).transpose(1, 0, 2))

    def distances(
        self, queries: ArrayLike, codes: ArrayLike, *, metric: str = "l2", symmetric: bool = False
    ) -> Vectors:
        """Asymmetric distances of queries to codes, float32 (q, n), by table look-ups.

        symmetric : quantize the queries as well (SDC); asymmetric distances are nearer to the truth
        """
        vectors = self._checked(queries, "queries")
        words = self.words(codes)
        sub = np.arange(self.m)
        if symmetric:
            tables = self.sdc_tables(metric)[sub, self.words(self.encode(vectors))]
        else:
            tables = self.tables(vectors, metric)
        return (
            np.stack([table[sub, words].sum(axis=1) for table in tables])
            if len(tables)
            else (np.empty((0, len(words)), np.float32))
        )

    def distortion(self, x: ArrayLike) -> float:
        """Mean squared distance of vectors to what their codes stand for. Raises ValueError for none."""
        vectors = self._checked(x, "x")
        if not len(vectors):
            raise ValueError("x: expected at least one vector")
        total = 0.0
        for first in range(0, len(vectors), _ROWS):
            rows = vectors[first : first + _ROWS]
            lost = rows.astype(np.float64) - self.decode(self.encode(rows))
            total += float(np.einsum("ij,ij->", lost, lost))
        return total / len(vectors)

    def _check_params(self) -> None:
        as_count(self.dim, "dim", least=self.m)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        self.adopt(self.codebooks, self.dim)

    def _checked(self, x: Any, name: str) -> Vectors:
        _ = self.codebooks
        return as_vectors(x, name, dim=self.dim, empty=True)

    def _pieces(self, vectors: Vectors) -> Vectors:
        size = self.codebooks.shape[2]
        padded = np.zeros((len(vectors), self.m * size), np.float32)
        padded[:, : self.dim] = vectors
        return padded.reshape(len(vectors), self.m, size)

    @staticmethod
    def _between(pieces: Vectors, books: Vectors, metric: str) -> Vectors:
        """pieces (q, m, s) with books (m, k, s): (q, m, k)."""
        if as_metric(metric, known=("l2", "ip")) == "ip":
            return np.einsum("qms,mks->qmk", pieces, books, optimize=True).astype(np.float32)
        # The plain difference: expanding the square would lose digits.
        return (
            np.stack(
                [((row[:, None] - books) ** 2).sum(axis=2, dtype=np.float32) for row in pieces]
            )
            if len(pieces)
            else np.empty((0, *books.shape[:2]), np.float32)
        )


def _part(vectors: Vectors, j: int, size: int) -> Vectors:
    """The dimensions of subspace j, as far as there are."""
    return np.ascontiguousarray(vectors[:, j * size : (j + 1) * size])
