"""Product codes in lists: PQ of vectors, or of residuals from the cell's centroid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Spelt
from kinfold.index.codecs.codes import Codes
from kinfold.quantize.product import ProductQuantizer

# Rows whose decoded vectors are held at once.
_ROWS = 65536


class ProductCodes(Codes):
    """PQ codes of vectors, or of their residuals from the cell's centroid (IVFADC, Multi-D-ADC).

    quantizer : trained with the codec unless it is trained already
    """

    kind: ClassVar[str] = "index.ProductCodes"
    compiled: ClassVar[str] = "product"

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
    def spelled(cls, spelt: Spelt) -> ProductCodes:
        """PQ16, PQ16x4: in lists codes of residuals."""
        bits, cells = spelt.numbers.get("bits", 8), spelt.cells
        return cls(
            spelt.dim,
            ProductQuantizer(spelt.numbers["m"], bits=bits, **spelt.training),
            metric=spelt.metric,
            residual=cells.n_cells > 1,
            blocked=not cells.counts_rows,
        )

    def __repr__(self) -> str:
        return f"ProductCodes({self.quantizer!r}, residual={self.residual})"

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return self.quantizer.code_size

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
        books = self.quantizer.codebooks
        self._fit_bytes(residuals, books.shape[0] * books.shape[2])
        if self.has_terms:
            self._terms = self._term_range(coarse)

    def _term_range(self, coarse: Coarse) -> tuple[Vectors, float, float]:
        """The middle of the centroids, the lowest term and the step."""
        books = self.quantizer.codebooks
        # ||r||^2 + 2 a r = ||r + a||^2 - ||a||^2 with ||a||^2 at most `reach`, and ||r|| at most `size`: no term
        # lies beyond these ends.
        reach = coarse.reach() * (1 + 1e-6)
        words = books.astype(np.float64)
        size = float(np.sqrt((words**2).sum(axis=2).max(axis=1).sum())) * (1 + 1e-6)
        high = size * size + 2 * float(np.sqrt(reach)) * size
        return coarse.middle(), -reach - 1e-30, (high + reach) / 65000

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
        middle, low, step = self._terms
        # The step is what is stored: in float32.
        wide, least = np.float64(np.float32(step)), np.float64(np.float32(low))
        for start in range(0, len(codes), _ROWS):
            part = slice(start, start + _ROWS)
            decoded = self.quantizer.decode(codes[part])
            terms = _terms(decoded, coarse.centroids_of(cells[part]) - middle)
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

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "dim": self.dim, "metric": self.metric, "residual": self.residual, "blocked": self.blocked,
            "quantizer": self.quantizer.params(),
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """What was learnt."""
        return {**add_prefix("quantizer", self.quantizer.arrays()), **self._state()}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> ProductCodes:
        """The codec from its parts."""
        check_only(params, {"dim", "metric", "residual", "blocked", "quantizer"}, "parameters")
        inner = strip_prefix("quantizer", arrays)
        own = {name: a for name, a in arrays.items() if not name.startswith("quantizer.")}
        check_only(own, {"centre", "scale", "middle", "terms"}, "arrays")
        quantizer = ProductQuantizer.from_state(take_param(params, "quantizer", dict), inner)
        codec = cls(
            take_param(params, "dim", int),
            quantizer,
            metric=take_param(params, "metric", str),
            residual=take_param(params, "residual", bool),
            blocked=take_param(params, "blocked", bool),
        )
        books = quantizer.codebooks
        if quantizer.dim != codec.dim:
            raise FileFormatError(f"codebooks: expected dimension {codec.dim}, got {quantizer.dim}")
        codec._adopt_ranges(own, books.shape[0] * books.shape[2])
        return codec


def _terms(decoded: Vectors, away: Vectors) -> NDArray[np.float64]:
    """||r||^2 + 2 a r of each row."""
    r = decoded.astype(np.float64)
    return np.einsum("ij,ij->i", r, r + 2 * away.astype(np.float64))
