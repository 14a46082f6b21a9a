"""What product codes of all kinds share: bytes a row, in blocks of 64 rows or row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, aligned_empty
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Extra, Figure, Learnt, Stored
from kinfold.base.parameters import Flag
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.codecs.base import Codec
from kinfold.quantize.local import LocallyOptimizedPQ
from kinfold.quantize.product import ProductQuantizer

_BLOCK = 64


class Codes(Codec):
    """What product codes of all kinds share: bytes a row, in blocks of 64 rows or row by row.

    blocked : blocks for scans of long lists; rows for lists of a few.
    """

    residual = Flag().unsaved()
    blocked = Flag().unsaved()

    def __init__(self, dim: int, metric: str, residual: bool, blocked: bool) -> None:
        super().__init__(dim, metric)
        self.residual, self.blocked = residual, blocked

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        raise NotImplementedError

    @property
    def has_terms(self) -> bool:
        """Whether rows also keep ||r||^2 + 2 (c - middle) r, for tables that know no cell."""
        return False

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return self.code_size + (2 if self.has_terms else 0)

    @property
    def bytes_per_vector(self) -> float:
        """Bytes of a row."""
        return float(self.width)

    def pack(self, rows: Arrays) -> Arrays:
        """Codes in blocks: byte j of 64 rows side by side, then the 64 terms, even rows first."""
        codes = rows["codes"]
        if not self.blocked:
            return {"codes": np.ascontiguousarray(codes)}
        n = len(codes)
        padded = np.zeros((-(-n // _BLOCK) * _BLOCK, self.width), np.uint8)
        padded[:n] = codes
        blocks = padded.reshape(-1, _BLOCK, self.width)
        out = aligned_empty(padded.size).reshape(len(blocks), -1)
        lookups = self.code_size * _BLOCK
        out[:, :lookups] = blocks[:, :, : self.code_size].transpose(0, 2, 1).reshape(-1, lookups)
        if self.has_terms:
            terms = blocks[:, :, self.code_size :].reshape(-1, _BLOCK // 2, 2, 2)
            out[:, lookups:] = terms.transpose(0, 2, 1, 3).reshape(-1, 2 * _BLOCK)
        return {"codes": out.reshape(-1)}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some rows of the blocks."""
        codes = packed["codes"]
        if not self.blocked:
            return {"codes": codes[rows]}
        blocks = codes.reshape(-1, self.width, _BLOCK)
        block, at = rows // _BLOCK, rows % _BLOCK
        out = np.empty((len(rows), self.width), np.uint8)
        out[:, : self.code_size] = blocks[block, : self.code_size, at]
        if self.has_terms:
            terms = codes.reshape(-1, self.width * _BLOCK)[:, self.code_size * _BLOCK :]
            out[:, self.code_size :] = terms.reshape(-1, 2, _BLOCK // 2, 2)[block, at % 2, at // 2]
        return {"codes": out}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed codes hold n rows."""
        check_only(packed, {"codes"}, "arrays")
        if self.blocked:
            take(packed, "codes", np.uint8, (-(-n // _BLOCK) * _BLOCK * self.width,))
        else:
            take(packed, "codes", np.uint8, (n, self.width))


class RangedCodes(Codes):
    """Codes that are searched by 8-bit copies of their codewords, and of queries."""

    quantizer: ProductQuantizer | LocallyOptimizedPQ

    # Centre and scale of the 8-bit copies; the middle of the centroids, lowest term and step of terms.
    _centre = Learnt(np.float32, ("_padded",), finite=True)
    _scale = Figure(np.float32)
    _middle = Extra(np.float32, ("dim",), finite=True, when="has_terms")
    _terms: Stored[Any, Any] = Extra(np.float32, (2,), finite=True, when="has_terms")

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return self.quantizer.code_size

    @property
    def _padded(self) -> int:
        books = self.quantizer.codebooks
        return books.shape[-3] * books.shape[-1]

    def _fit_bytes(self, local: Vectors) -> None:
        """The 8-bit range of local vectors (n, d), which codewords and queries lie in."""
        some = local[:: max(1, len(local) // 20000)]
        centre = np.zeros(self._padded, np.float32)
        centre[: some.shape[1]] = some.mean(axis=0, dtype=np.float64)
        away = np.abs(some - centre[: some.shape[1]])
        scale = float(np.quantile(away, 0.9999)) / 127 if away.size else 0.0
        self._centre, self._scale = centre, max(scale, float(np.finfo(np.float32).tiny) * 2**20)
        self._changed()

    def parts(self) -> dict[str, Any]:
        """What the search needs besides codebooks."""
        low, step = (0.0, 0.0) if self._terms is None else map(float, self._terms)
        return {
            "dim": self.dim, "residual": self.residual, "blocked": self.blocked, "centre": self._centre,
            "scale": self._scale, "term_low": low, "term_step": step,
            "middle": np.zeros(self.dim, np.float32) if self._middle is None else self._middle,
        }  # fmt: skip

    def _settle(self, sides: Mapping[str, Any]) -> None:
        if self.quantizer.dim != self.dim:
            raise FileFormatError(
                f"codebooks: expected dimension {self.dim}, got {self.quantizer.dim}"
            )
        if self._scale <= 0 or (self._terms is not None and self._terms[1] < 0):
            raise FileFormatError("array 'scale': expected one above 0, and terms at least 0 apart")
