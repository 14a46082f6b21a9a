"""Locally optimized product quantization: every cell has its own rotation, and perhaps its own codebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_array, as_count, as_vectors
from kinfold.base.declared import Declared
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Flag, Maybe
from kinfold.base.progress import progress
from kinfold.base.state import check_range
from kinfold.quantize.frames import Frame, choose, held_out, runs
from kinfold.quantize.kmeans import KMeans, are_few
from kinfold.quantize.optimized import OPQ, parametric_rotation
from kinfold.quantize.product import ProductQuantizer
from kinfold.transform.moments import Moments

# In codebooks of a cell's own each shared codeword counts as so many vectors: few vectors move it little.
_PRIOR = 3


class LocallyOptimizedPQ(Declared):
    """Product codes of residuals in axes that suit each cell (Kalantidis & Avrithis, CVPR 2014).

    The residuals of a cell are centred and rotated by the parametric solution of OPQ for their own covariance. A
    cell that has few training vectors gets a covariance drawn towards that of all residuals; one with less than
    ``least`` of them shares group 0, the axes and codebooks of all.

    Parameters
    ----------
    m, bits, iterations, sample, seed, verbose : as for ProductQuantizer
    shared : one set of codebooks for all cells, in their local axes (the published code), or one for each group
        (the paper). None: a group's own where vectors that were held out lose less by them, and the shared ones
        elsewhere; one set where all together would lose less than 1 % less. Where `fit` is told the centroids, a cell
        may also have the axes of all, OPQ's of the vectors themselves, if those lose less.
    least : training vectors below which a cell shares group 0; the dimension where None, for own codebooks at
        least 2 * 2^bits

    Attributes
    ----------
    rotations : float32 (G, d, d), local axes as rows
    means : float32 (G, d)
    group : int32 (n_cells,), which of the G a cell uses; 0 is the one of all residuals
    codebooks : float32 (G or 1, m, 2^bits, s)
    fallbacks : how many cells use group 0

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((1000, 8))
    >>> cells = np.arange(1000) % 2
    >>> quantizer = kf.LocallyOptimizedPQ(4, bits=4, verbose=False).fit(x, cells, 2)
    >>> quantizer.encode(x, cells).shape
    (1000, 2)
    """

    kind: ClassVar[str] = "quantize.LOPQ"

    m = Count(most=1 << 16)
    bits = Choice(4, 8)
    shared = Maybe(Flag())
    least = Maybe(Count())
    iterations = Count(least=0)
    sample = Count()
    seed = Count(least=0)
    verbose = Flag().unsaved()
    rotations = Learnt(np.float32, ("groups", "dim", "dim"), finite=True)
    means = Learnt(np.float32, ("groups", "dim"), finite=True)
    group = Learnt(np.int32, (None,))
    codebooks = Learnt(np.float32, (None, "m", "k", "_size"), finite=True)

    def __init__(
        self,
        m: int,
        *,
        bits: int = 8,
        shared: bool | None = None,
        least: int | None = None,
        iterations: int = 25,
        sample: int = 256,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.m, self.bits, self.shared, self.least = m, bits, shared, least
        self.iterations, self.sample, self.seed, self.verbose = iterations, sample, seed, verbose

    @property
    def k(self) -> int:
        """Codewords of a subquantizer."""
        return 1 << self.bits

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return (self.m * self.bits + 7) // 8

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.means.shape[1]

    @property
    def _size(self) -> int:
        return -(-self.dim // self.m)

    @property
    def fallbacks(self) -> int:
        """How many cells use group 0."""
        return int((self.group == 0).sum())

    def fit(
        self,
        residuals: ArrayLike,
        cells: ArrayLike,
        n_cells: int,
        *,
        centroids: ArrayLike | None = None,
    ) -> LocallyOptimizedPQ:
        """Learn from residuals (n, d) and their cells (n,): at least 2^bits of them, d at least m.

        centroids : (n_cells, d), which residuals are taken from; with ``shared=None`` axes and codebooks of the vectors
            themselves are tried, too
        The order of the rows does not matter but for rounding.
        Raises ValueError for fewer.
        """
        x = as_vectors(residuals, "residuals")
        n_cells = as_count(n_cells, "n_cells", most=1 << 24)
        of = self._cells(cells, len(x), n_cells)
        n, d = x.shape
        if n < self.k or d < self.m:
            raise ValueError(
                f"residuals: expected at least {self.k} vectors of dimension {self.m} or more, got {x.shape}"
            )
        least = self.least or (max(d, 2 * self.k) if self.shared is False else d)
        own = np.flatnonzero(np.bincount(of, minlength=n_cells) >= least)
        self.group = np.zeros(n_cells, np.int32)
        self.group[own] = np.arange(1, len(own) + 1)
        self.rotations, self.means = self._axes(x, of)
        local = self._local(x, of)
        base = self._shared_books(local)
        if self.shared:
            books = base[None]
        elif self.shared is None:
            middles = None if centroids is None else as_vectors(centroids, "centroids", dim=d)
            books = self._better(x, of, local, base, middles)
        else:
            books = self._own_books(local, self.group[of], base)
        self.codebooks = np.ascontiguousarray(books)
        return self

    def _axes(self, x: Vectors, of: Ids) -> tuple[Vectors, Vectors]:
        """Rotations and means of the groups, group 0's those of all."""
        n_groups, d = int(self.group.max(initial=0)) + 1, x.shape[1]
        everything = Moments(d)
        everything.add(x)
        whole = everything.covariance()
        rotations = np.empty((n_groups, d, d), np.float32)
        means = np.empty((n_groups, d), np.float32)
        rotations[0], means[0] = parametric_rotation(whole, self.m, d), everything.mean
        for g, rows in progress(list(runs(self.group[of])), "local axes", verbose=self.verbose):
            if g == 0:
                continue
            moments = Moments(d)
            moments.add(x[rows])
            # As if d more vectors had been seen that are spread like all residuals: few vectors have noisy axes.
            mixed = (moments.scatter + d * whole) / (moments.count + d)
            rotations[g], means[g] = parametric_rotation(mixed, self.m, d), moments.mean
        return rotations, means

    def _own_books(self, local: Vectors, groups: NDArray[np.int32], base: Vectors) -> Vectors:
        """Codebooks of each group."""
        books = np.repeat(base[None], len(self.means), axis=0)
        for g, rows in progress(list(runs(groups)), "local codebooks", verbose=self.verbose):
            if len(rows) >= self.k:
                books[g] = self._suited(local[rows], base)
        return books

    def _better(
        self, x: Vectors, of: Ids, local: Vectors, base: Vectors, centroids: Vectors | None
    ) -> Vectors:
        """The codebooks by which vectors held out lose least; groups to which OPQ's axes suit better take these."""
        groups = self.group[of]
        held = held_out(groups)
        if are_few(int((~held).sum()), self.k):
            return base[None]
        # Axes, too, fit the vectors best that they were learnt of.
        axes = self._axes(x[~held], of[~held])
        trial = self._turned(x, of, *axes)
        frames = [Frame(local, base, trial, self._shared_books(trial[~held]))]
        allowed = np.ones((1 if centroids is None else 2, len(self.means)), bool)
        if centroids is not None:
            if len(centroids) != len(self.group):
                raise ValueError(
                    f"centroids: expected one for each of {len(self.group)} cells, got {len(centroids)}"
                )
            # A group is one cell's, but for group 0: it has no one centroid.
            allowed[1, 0] = not self.fallbacks
            whole = x + centroids[of]
            opq = OPQ(
                self.m, bits=self.bits, iterations=self.iterations, sample=self.sample * self.k,
                seed=self.seed, verbose=self.verbose,
            ).fit(whole[~held])  # fmt: skip
            turned, tried = opq.transform(whole), opq.quantizer.codebooks
            frames.append(Frame(turned, self._shared_books(turned, tried), turned, tried))
        frame, books = choose(frames, groups, allowed, self._suited, self._with)
        if centroids is not None:
            cells = np.flatnonzero(self.group)
            taken = cells[frame[self.group[cells]] == 1]
            # Residuals less this mean are the vectors themselves.
            self.rotations[self.group[taken]] = opq.rotation
            self.means[self.group[taken]] = -centroids[taken]
        return books

    def _shared_books(self, local: Vectors, start: Vectors | None = None) -> Vectors:
        """One set of codebooks for vectors in their local axes."""
        return (
            ProductQuantizer(
                self.m, bits=self.bits, iterations=self.iterations, sample=self.sample, seed=self.seed,
                verbose=self.verbose,
            ).fit(local, start).codebooks
        )  # fmt: skip

    def _suited(self, mine: Vectors, base: Vectors) -> Vectors:
        """The codebooks (m, 2^bits, s) that some vectors lead to, a few iterations from the shared ones."""
        books = base.copy()
        steps = min(self.iterations, 10)
        for j in range(self.m):
            part = _part(mine, j, base.shape[2])
            if part.shape[1]:
                start = np.ascontiguousarray(base[j, :, : part.shape[1]])
                known = np.concatenate([part, np.repeat(start, _PRIOR, axis=0)])
                means = KMeans(self.k, iterations=steps, seed=self.seed + j, verbose=False)
                books[j, :, : part.shape[1]] = means._learn(known, start).centroids
        return books

    def local(self, residuals: ArrayLike, cells: ArrayLike) -> Vectors:
        """Residuals in their cells' axes, float32 (n, d): R (x - mean)."""
        x = self._checked(residuals)
        return self._local(x, self._cells(cells, len(x), len(self.group)))

    def encode(self, residuals: ArrayLike, cells: ArrayLike) -> NDArray[np.uint8]:
        """Codes uint8 (n, code_size), laid out as ProductQuantizer's."""
        x = self._checked(residuals)
        of = self._cells(cells, len(x), len(self.group))
        local = self._local(x, of)
        if len(self.codebooks) == 1:
            return self._quantizer(0).encode(local)
        codes = np.empty((len(x), self.code_size), np.uint8)
        for g, rows in runs(self.group[of]):
            codes[rows] = self._quantizer(g).encode(local[rows])
        return codes

    def decode(self, codes: ArrayLike, cells: ArrayLike) -> Vectors:
        """The residuals that codes stand for, float32 (n, d), in the original axes."""
        words = self._quantizer(0).words(codes)
        of = self._cells(cells, len(words), len(self.group))
        groups = self.group[of]
        books = groups if len(self.codebooks) > 1 else np.zeros_like(groups)
        pieces = self.codebooks[books[:, None], np.arange(self.m), words]
        local = pieces.reshape(len(words), self.m * self.codebooks.shape[3])[:, : self.dim]
        out = np.empty((len(words), self.dim), np.float32)
        for g, rows in runs(groups):
            out[rows] = _core.quantize.linear(local[rows], None, self.rotations[g], self.means[g])
        return out

    def distortion(self, residuals: ArrayLike, cells: ArrayLike) -> float:
        """Mean squared distance of residuals to what their codes stand for. Raises ValueError for none."""
        x = self._checked(residuals)
        if not len(x):
            raise ValueError("residuals: expected at least one vector")
        lost = x.astype(np.float64) - self.decode(self.encode(x, cells), cells)
        return float(np.einsum("ij,ij->", lost, lost)) / len(x)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        groups, d = self.means.shape
        if d < self.m:
            raise FileFormatError(f"array 'means': expected at least {self.m} dimensions")
        check_range(self.group, groups, "group")  # addresses
        if len(self.codebooks) not in (1, groups):
            raise FileFormatError(f"array 'codebooks': expected 1 or {groups} sets")

    def _checked(self, residuals: Any) -> Vectors:
        return as_vectors(residuals, "residuals", dim=self.dim, empty=True)

    @staticmethod
    def _cells(cells: Any, n: int, n_cells: int) -> Ids:
        of = as_array(cells, "cells") if n else np.empty(0, np.int64)
        if of.shape != (n,) or of.dtype.kind not in "iu":
            raise ValueError(f"cells: expected {n} whole numbers, got {of.dtype} {of.shape}")
        if n and (of.min() < 0 or of.max() >= n_cells):
            raise ValueError(f"cells: expected cells from 0 to {n_cells - 1}")
        return of.astype(np.int64, copy=False)

    def _local(self, x: Vectors, of: Ids) -> Vectors:
        return self._turned(x, of, self.rotations, self.means)

    def _turned(self, x: Vectors, of: Ids, rotations: Vectors, means: Vectors) -> Vectors:
        out = np.empty_like(x)
        for g, rows in runs(self.group[of]):
            axes = np.ascontiguousarray(rotations[g].T)
            out[rows] = _core.quantize.linear(x[rows], means[g], axes, None)
        return out

    def _quantizer(self, g: int) -> ProductQuantizer:
        return self._with(self.codebooks[min(g, len(self.codebooks) - 1)])

    def _with(self, books: Vectors) -> ProductQuantizer:
        return ProductQuantizer(self.m, bits=self.bits, verbose=False).adopt(books, self.dim)


def _part(vectors: Vectors, j: int, size: int) -> Vectors:
    """The dimensions of subspace j, as far as there are."""
    return np.ascontiguousarray(vectors[:, j * size : (j + 1) * size])
