"""Product codes in lists: PQ of vectors, or of residuals from the cell's centroid."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.learnt import Part
from kinfold.base.parameters import Flag
from kinfold.base.spelling import Spelt
from kinfold.base.state import Arrays
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.codes import RangedCodes
from kinfold.quantize.product import ProductQuantizer

# Rows whose decoded vectors are held at once.
_ROWS = 65536


class ProductCodes(RangedCodes):
    """PQ codes of vectors, or of their residuals from the cell's centroid.

    quantizer : trained with the codec unless it is trained already
    residual : codes of residuals (IVFADC; in a multi-index Multi-D-ADC), or of the vectors themselves (Multi-ADC):
        tables are the same for all cells
    blocked : for scans of long lists, in blocks of 64 rows; in a multi-index, whose lists are short, row by row

    Jegou, Douze & Schmid, PAMI 2011; Babenko & Lempitsky, CVPR 2012.
    """

    kind: ClassVar[str] = "index.ProductCodes"
    compiled: ClassVar[str] = "product"

    residual = Flag()
    blocked = Flag()
    quantizer = Part(ProductQuantizer)

    def __init__(
        self,
        dim: int,
        quantizer: ProductQuantizer,
        *,
        metric: str = "l2",
        residual: bool = False,
        blocked: bool = True,
    ) -> None:
        super().__init__(dim, metric, residual, blocked)
        self.quantizer = quantizer

    @classmethod
    def from_word(cls, spelt: Spelt) -> ProductCodes:
        """PQ16, PQ16x4: in lists codes of residuals; PQ16_direct: of the vectors themselves."""
        bits, cells = spelt.numbers.get("bits", 8), spelt.cells
        return cls(
            spelt.dim,
            ProductQuantizer(spelt.numbers["m"], bits=bits, **spelt.training),
            metric=spelt.metric,
            residual=cells.n_cells > 1 and not spelt.word.endswith("_direct"),
            blocked=not cells.counts_rows,
        )

    @property
    def has_terms(self) -> bool:
        """Residuals under the l2 metric."""
        return self.residual and self.metric == "l2"

    def _residuals(self, x: Vectors, cells: Ids, coarse: Coarse) -> Vectors:
        return x - coarse.centroids_of(cells) if self.residual else x

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> ProductCodes:
        """Learn the codebooks from vectors and their cells."""
        residuals = self._residuals(x, cells, coarse)
        self.quantizer.fit(residuals)
        self.prepare(residuals, coarse)
        return self

    def prepare(self, residuals: Vectors, coarse: Coarse) -> None:
        """Learn what the search needs besides the codebooks."""
        self._fit_bytes(residuals)
        if self.has_terms:
            self._middle, self._terms = coarse.middle(), self._term_range(coarse)

    def _term_range(self, coarse: Coarse) -> NDArray[np.float64]:
        """The lowest term and the step."""
        books = self.quantizer.codebooks
        # ||r||^2 + 2 a r = ||r + a||^2 - ||a||^2 with ||a||^2 at most `reach`, and ||r|| at most `size`: no term
        # lies beyond these ends.
        reach = coarse.reach() * (1 + 1e-6)
        words = books.astype(np.float64)
        size = float(np.sqrt((words**2).sum(axis=2).max(axis=1).sum())) * (1 + 1e-6)
        high = size * size + 2 * float(np.sqrt(reach)) * size
        return np.array([-reach - 1e-30, (high + reach) / 65000])

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes with their terms, uint8 (n, width)."""
        return self.rows_of(self.quantizer.encode(self._residuals(x, cells, coarse)), cells, coarse)

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse) -> Arrays:
        """Codes (n, code_size) of codebooks that were learnt elsewhere; the rest is learnt from them."""
        if len(codes):
            sample = codes[:: max(1, len(codes) // 20000)]
            self.prepare(self.quantizer.decode(np.ascontiguousarray(sample)), coarse)
        else:
            books = self.quantizer.codebooks
            words = books.transpose(1, 0, 2).reshape(books.shape[1], -1)
            self.prepare(np.ascontiguousarray(words[:, : self.dim]), coarse)
        return self.rows_of(codes, cells, coarse)

    def rows_of(self, codes: NDArray[np.uint8], cells: Ids, coarse: Coarse) -> Arrays:
        """Codes (n, code_size) with their terms."""
        if self._terms is None:
            return {"codes": codes}
        rows = np.empty((len(codes), self.width), np.uint8)
        rows[:, : self.code_size] = codes
        # What is stored: in float32.
        least, wide = np.float32(self._terms).astype(np.float64)
        for start in range(0, len(codes), _ROWS):
            part = slice(start, start + _ROWS)
            decoded = self.quantizer.decode(codes[part])
            terms = _terms(decoded, coarse.centroids_of(cells[part]) - np.asarray(self._middle))
            # Rounded down, one unit more for float32's sake: a bound from below.
            units = np.floor((terms - least) / wide) - 1 if wide > 0 else 0 * terms
            whole = units.clip(0, 65535).astype("<u2")
            rows[part, self.code_size :] = whole.view(np.uint8).reshape(-1, 2)
        return {"codes": rows}

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that codes stand for."""
        decoded = self.quantizer.decode(np.ascontiguousarray(rows["codes"][:, : self.code_size]))
        return decoded + coarse.centroids_of(cells) if self.residual else decoded

    def parts(self) -> dict[str, Any]:
        """Codebooks, and what the search needs besides."""
        return {**super().parts(), "codebooks": self.quantizer.codebooks[None]}


def _terms(decoded: Vectors, away: Vectors) -> NDArray[np.float64]:
    """||r||^2 + 2 a r of each row."""
    r = decoded.astype(np.float64)
    return np.einsum("ij,ij->i", r, r + 2 * away.astype(np.float64))
