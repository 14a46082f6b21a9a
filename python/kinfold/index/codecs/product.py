"""Product codes in lists: PQ of vectors or of residuals, and locally optimized PQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned_empty, as_choice, as_count
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take, take_param
from kinfold.index.coarse.base import Coarse
from kinfold.quantize.local import LocallyOptimizedPQ
from kinfold.quantize.product import ProductQuantizer

_BLOCK = 64
# Rows whose decoded vectors are held at once.
_ROWS = 65536


class _Codes:
    """What product codes of all kinds share: bytes a row, in blocks of 64 rows or row by row.

    blocked : blocks for scans of long lists; rows for lists of a few.
    """

    kind: ClassVar[str]

    def __init__(self, dim: int, metric: str, residual: bool, blocked: bool) -> None:
        self.dim = as_count(dim, "dim", most=32768)
        self.metric = as_choice(metric, "metric", ("l2", "ip"))
        self.residual = bool(residual)
        self.blocked = bool(blocked)
        # Centre and scale of 8-bit copies of codewords; the middle of the centroids, lowest term and step of terms.
        self._bytes: tuple[Vectors, float] | None = None
        self._terms: tuple[Vectors, float, float] | None = None
        self._engine: Any = None

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
        self._engine = None

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

    def attach(self, segment: Any, packed: Mapping[str, NDArray[Any]]) -> None:
        """Give the packed codes to a compiled segment."""
        segment.product(packed["codes"], self.width, self.blocked)

    def _state(self) -> Arrays:
        if self._bytes is None:
            raise NotTrainedError(f"{type(self).__name__}: call train first")
        centre, scale = self._bytes
        arrays = {"centre": centre, "scale": np.array([scale], np.float32)}
        if self._terms is not None:
            middle, low, step = self._terms
            arrays |= {"middle": middle, "terms": np.array([low, step], np.float32)}
        return arrays

    def _adopt(self, arrays: Mapping[str, NDArray[Any]], padded_d: int) -> None:
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


class ProductCodes(_Codes):
    """PQ codes of vectors, or of their residuals from the cell's centroid (IVFADC, Multi-D-ADC).

    quantizer : trained with the codec unless it is trained already
    """

    kind: ClassVar[str] = "index.ProductCodes"

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

    def engine(self) -> Any:
        """The compiled codec."""
        if self._engine is None:
            centre, scale = self._bytes if self._bytes is not None else self._untrained()
            middle, low, step = self._terms or (np.zeros(self.dim, np.float32), 0.0, 0.0)
            self._engine = _core.scan.ProductCodec(
                self.metric, self.dim, self.quantizer.codebooks[None], self.residual, middle, low, step,
                centre, scale,
            )  # fmt: skip
        return self._engine

    def _untrained(self) -> Any:
        raise NotTrainedError("ProductCodes: call train first")

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
        codec._adopt(own, books.shape[0] * books.shape[2])
        return codec


class LocalCodes(_Codes):
    """Locally optimized codes of residuals: each cell has its own rotation and codebooks (LOPQ).

    Kalantidis & Avrithis, CVPR 2014.
    """

    kind: ClassVar[str] = "index.LocalCodes"

    def __init__(self, dim: int, quantizer: LocallyOptimizedPQ) -> None:
        super().__init__(dim, "l2", True, True)
        self.quantizer = quantizer

    def __repr__(self) -> str:
        return f"LocalCodes({self.quantizer!r})"

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return self.quantizer.code_size

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> LocalCodes:
        """Learn rotations and codebooks from vectors and their cells."""
        residuals = x - coarse.centroids_of(cells)
        self.quantizer.fit(residuals, cells, coarse.n_cells)
        books = self.quantizer.codebooks
        some = slice(None, None, max(1, len(x) // 20000))
        self._fit_bytes(
            self.quantizer.local(residuals[some], cells[some]), books.shape[1] * books.shape[3]
        )
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes, uint8 (n, code_size)."""
        return {"codes": self.quantizer.encode(x - coarse.centroids_of(cells), cells)}

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that codes stand for."""
        decoded = self.quantizer.decode(np.ascontiguousarray(rows["codes"]), cells)
        return decoded + coarse.centroids_of(cells)

    def engine(self) -> Any:
        """The compiled codec."""
        if self._engine is None:
            if self._bytes is None:
                raise NotTrainedError("LocalCodes: call train first")
            centre, scale = self._bytes
            of = self.quantizer
            self._engine = _core.scan.ProductCodec(
                "l2", self.dim, of.codebooks, True, np.zeros(self.dim, np.float32), 0.0, 0.0, centre, scale,
                of.rotations, of.means, of.group,
            )  # fmt: skip
        return self._engine

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {"dim": self.dim, "quantizer": self.quantizer.params()}

    def arrays(self) -> Arrays:
        """What was learnt."""
        return {**add_prefix("quantizer", self.quantizer.arrays()), **self._state()}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> LocalCodes:
        """The codec from its parts."""
        check_only(params, {"dim", "quantizer"}, "parameters")
        inner = strip_prefix("quantizer", arrays)
        own = {name: a for name, a in arrays.items() if not name.startswith("quantizer.")}
        check_only(own, {"centre", "scale"}, "arrays")
        quantizer = LocallyOptimizedPQ.from_state(take_param(params, "quantizer", dict), inner)
        codec = cls(take_param(params, "dim", int), quantizer)
        books = quantizer.codebooks
        if quantizer.rotations.shape[1] != codec.dim:
            raise FileFormatError(f"rotations: expected dimension {codec.dim}")
        codec._adopt(own, books.shape[1] * books.shape[3])
        return codec


def _terms(decoded: Vectors, away: Vectors) -> NDArray[np.float64]:
    """||r||^2 + 2 a r of each row."""
    r = decoded.astype(np.float64)
    return np.einsum("ij,ij->i", r, r + 2 * away.astype(np.float64))
