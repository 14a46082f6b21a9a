"""Locally optimized product codes in lists (LOPQ), and in the cells of a multi-index (Multi-LOPQ)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Part
from kinfold.base.parameters import Metric
from kinfold.base.spelling import Spelt
from kinfold.base.state import Arrays
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.codes import Codes, RangedCodes
from kinfold.quantize.local import LocallyOptimizedPQ


class LocalCodes(RangedCodes):
    """Locally optimized codes of residuals: each cell has its own rotation and codebooks (LOPQ).

    Kalantidis & Avrithis, CVPR 2014.
    """

    kind: ClassVar[str] = "index.LocalCodes"
    compiled: ClassVar[str] = "local"

    metric = Metric(("l2",)).unsaved()
    quantizer = Part(LocallyOptimizedPQ)

    def __init__(self, dim: int, quantizer: LocallyOptimizedPQ) -> None:
        super().__init__(dim, "l2", True, True)
        self.quantizer = quantizer

    @classmethod
    def from_word(cls, spelt: Spelt) -> Codes:
        """LOPQ16, LOPQ16x4: in a multi-index codes of both halves."""
        if spelt.metric != "l2":
            raise ValueError(f'spec: LOPQ is for the metric "l2", got {spelt.metric!r}')
        m, bits, training = spelt.numbers["m"], spelt.numbers.get("bits", 8), spelt.training
        if not spelt.cells.counts_rows:
            return cls(spelt.dim, LocallyOptimizedPQ(m, bits=bits, **training))
        if m % 2 or m // 2 * bits % 8:
            raise ValueError(
                f"spec: codes of a multi-index's halves need whole bytes each, got {spelt.word!r}"
            )
        left, right = (LocallyOptimizedPQ(m // 2, bits=bits, **training) for _ in range(2))
        return LocalHalves(spelt.dim, left, right)

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> LocalCodes:
        """Learn rotations and codebooks from vectors and their cells."""
        residuals = x - coarse.centroids_of(cells)
        centroids = coarse.centroids_of(np.arange(coarse.n_cells))
        self.quantizer.fit(residuals, cells, coarse.n_cells, centroids=centroids)
        some = slice(None, None, max(1, len(x) // 20000))
        self._fit_bytes(self.quantizer.local(residuals[some], cells[some]))
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes, uint8 (n, code_size)."""
        return {"codes": self.quantizer.encode(x - coarse.centroids_of(cells), cells)}

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that codes stand for."""
        decoded = self.quantizer.decode(np.ascontiguousarray(rows["codes"]), cells)
        return decoded + coarse.centroids_of(cells)

    def parts(self) -> dict[str, Any]:
        """Codebooks and rotations, and what the search needs besides."""
        return {**super().parts(), **_turned(self.quantizer, tables=False)}


class LocalHalves(Codes):
    """Locally optimized codes in a multi-index: each half in the axes of its own cell (Multi-LOPQ).

    A query is rotated, and its tables are made, once for each of the 2 K half cells that it visits, not for
    each of the K * K cells. left, right : quantizers of the halves
    Kalantidis & Avrithis, CVPR 2014, section 4.
    """

    kind: ClassVar[str] = "index.LocalHalves"
    compiled: ClassVar[str] = "halves"

    metric = Metric(("l2",)).unsaved()
    left = Part(LocallyOptimizedPQ)
    right = Part(LocallyOptimizedPQ)

    def __init__(self, dim: int, left: LocallyOptimizedPQ, right: LocallyOptimizedPQ) -> None:
        super().__init__(dim, "l2", True, False)
        if dim % 2 or left.bits != right.bits or any(q.m * q.bits % 8 for q in (left, right)):
            raise ValueError(
                "dim: expected an even dimension and halves of equal bits whose codes fill whole bytes"
            )
        self.left, self.right = left, right

    @property
    def halves(self) -> tuple[LocallyOptimizedPQ, LocallyOptimizedPQ]:
        """The quantizers of both."""
        return self.left, self.right

    @property
    def code_size(self) -> int:
        """Bytes of a code, both halves'."""
        return sum(half.code_size for half in self.halves)

    def _sides(
        self, x: Vectors, cells: Ids, coarse: Coarse
    ) -> list[tuple[LocallyOptimizedPQ, Vectors, Ids]]:
        """Each half's quantizer with its residuals and cells."""
        k = math.isqrt(coarse.n_cells)
        parts = np.split(x - coarse.centroids_of(cells), 2, axis=1)
        return [
            (half, np.ascontiguousarray(part), of)
            for half, part, of in zip(self.halves, parts, (cells // k, cells % k))
        ]

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> LocalHalves:
        """Learn rotations and codebooks of both halves."""
        k = math.isqrt(coarse.n_cells)
        # Cells (i, i) have the centroids of both halves.
        middles = np.split(coarse.centroids_of(np.arange(k) * (k + 1)), 2, axis=1)
        for (half, residuals, of), own in zip(self._sides(x, cells, coarse), middles):
            half.fit(residuals, of, k, centroids=own)
        self._changed()
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes of both halves side by side, uint8 (n, code_size)."""
        sides = self._sides(x, cells, coarse)
        return {
            "codes": np.concatenate([half.encode(part, of) for half, part, of in sides], axis=1)
        }

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that codes stand for."""
        k, first = math.isqrt(coarse.n_cells), self.halves[0].code_size
        codes = rows["codes"]
        left = self.halves[0].decode(np.ascontiguousarray(codes[:, :first]), cells // k)
        right = self.halves[1].decode(np.ascontiguousarray(codes[:, first:]), cells % k)
        return np.concatenate([left, right], axis=1) + coarse.centroids_of(cells)

    def parts(self) -> dict[str, Any]:
        """Both halves' parts, under their names."""
        return {
            f"{side}.{name}": part
            for side, half in zip(("left", "right"), self.halves)
            for name, part in _turned(half, tables=True).items()
        }

    def _settle(self, sides: Mapping[str, Any]) -> None:
        if not self.left.dim == self.right.dim == self.dim // 2:
            raise FileFormatError(f"rotations: expected dimension {self.dim // 2}")


def _turned(of: LocallyOptimizedPQ, *, tables: bool) -> dict[str, Any]:
    """What the engine is told of local codes; tables: searched by float tables rather than 8-bit copies."""
    books = of.codebooks
    parts = {
        "codebooks": books, "rotations": of.rotations, "means": of.means, "group": of.group, "tables": tables,
    }  # fmt: skip
    if not tables:
        return parts
    centre = np.zeros(books.shape[1] * books.shape[3], np.float32)
    return {
        **parts, "dim": of.dim, "residual": True, "centre": centre, "scale": 1.0, "term_low": 0.0, "term_step": 0.0,
    }  # fmt: skip
