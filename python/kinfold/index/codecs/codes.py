"""What product codes of all kinds share: bytes a row, in blocks of 64 rows or row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, aligned_empty
from kinfold.base.errors import FileFormatError
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.codecs.base import Codec

_BLOCK = 64


class Codes(Codec):
    """What product codes of all kinds share: bytes a row, in blocks of 64 rows or row by row.

    blocked : blocks for scans of long lists; rows for lists of a few.
    """

    kind: ClassVar[str]

    def __init__(self, dim: int, metric: str, residual: bool, blocked: bool) -> None:
        super().__init__(dim, metric)
        self.residual = bool(residual)
        self.blocked = bool(blocked)
        # Centre and scale of 8-bit copies of codewords; the middle of the centroids, lowest term and step of terms.
        self._bytes: tuple[Vectors, float] | None = None
        self._terms: tuple[Vectors, float, float] | None = None

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

    def _fit_bytes(self, local: Vectors, padded_d: int) -> None:
        """The 8-bit range of local vectors (n, d), which codewords and queries lie in."""
        some = local[:: max(1, len(local) // 20000)]
        centre = np.zeros(padded_d, np.float32)
        centre[: some.shape[1]] = some.mean(axis=0, dtype=np.float64)
        away = np.abs(some - centre[: some.shape[1]])
        scale = float(np.quantile(away, 0.9999)) / 127 if away.size else 0.0
        self._bytes = centre, max(scale, float(np.finfo(np.float32).tiny) * 2**20)
        self._changed()

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

    def parts(self) -> dict[str, Any]:
        """What the search needs besides codebooks."""
        if self._bytes is None:
            raise self._untrained()
        centre, scale = self._bytes
        middle, low, step = self._terms or (np.zeros(self.dim, np.float32), 0.0, 0.0)
        return {
            "dim": self.dim, "residual": self.residual, "blocked": self.blocked, "centre": centre, "scale": scale,
            "middle": middle, "term_low": low, "term_step": step,
        }  # fmt: skip

    def _state(self) -> Arrays:
        if self._bytes is None:
            raise self._untrained()
        centre, scale = self._bytes
        arrays = {"centre": centre, "scale": np.array([scale], np.float32)}
        if self._terms is not None:
            middle, low, step = self._terms
            arrays |= {"middle": middle, "terms": np.array([low, step], np.float32)}
        return arrays

    def _adopt_ranges(self, arrays: Mapping[str, NDArray[Any]], padded_d: int) -> None:
        centre = take(arrays, "centre", np.float32, (padded_d,))
        scale = float(take(arrays, "scale", np.float32, (1,))[0])
        finite = np.isfinite(centre).all() and np.isfinite(scale)
        if self.has_terms:
            middle = take(arrays, "middle", np.float32, (self.dim,))
            low, step = (float(x) for x in take(arrays, "terms", np.float32, (2,)))
            finite = finite and np.isfinite(middle).all() and np.isfinite([low, step]).all()
            self._terms = np.ascontiguousarray(middle), low, step
            if step < 0:
                raise FileFormatError("array 'terms': expected a step of at least 0")
        if not finite or scale <= 0:
            raise FileFormatError("array 'scale': expected finite numbers and a scale above 0")
        self._bytes = np.ascontiguousarray(centre), scale
