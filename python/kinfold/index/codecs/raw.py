"""Vectors as they are, or as 8-bit numbers: float32, float16, SQ8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned, as_vectors
from kinfold.base.parameters import Choice
from kinfold.base.spelling import Spelt
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Codec
from kinfold.index.codecs.narrow import check_blocks, padded, take_finite
from kinfold.index.codecs.scale import ByteScale, Scale

_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
}


class Scaled(Codec):
    """Numbers of so many bits, each dimension on its own scale, in the blocks that the engine filters by."""

    compiled: ClassVar[str] = "raw"
    # Of a number in the blocks.
    bits: Any = 8
    # What is packed besides the blocks.
    _beside: ClassVar[set[str]] = set()

    byte_scale = Scale()

    @property
    def scale(self) -> float:
        """The largest step of an 8-bit number in any dimension."""
        return float(self.byte_scale.steps.max())

    def _use(self, scale: ByteScale) -> None:
        self.byte_scale = scale
        self._changed()

    def parts(self) -> dict[str, Any]:
        """Centre and steps."""
        return {"centre": self.byte_scale.centre, "steps": self.byte_scale.steps}

    def pack(self, rows: Arrays) -> Arrays:
        """The codes in the engine's blocks: what is searched is what filters."""
        return self.copies({"codes": np.ascontiguousarray(rows["codes"])})

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse | None) -> Vectors:
        """The rounded vectors."""
        return self.byte_scale.decode(rows["codes"])

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        check_only(packed, {"blocks", "bias", "residual", "sizes", *self._beside}, "arrays")
        check_blocks(packed, self.dim, self.bits, n)
        take(packed, "bias", np.int32, (padded(n),))
        take_finite(packed, "residual", np.float32, padded(n) // 32)
        take_finite(packed, "sizes", np.float64, 2)

    def _given_scale(self, first: Any, steps: Any, name: str) -> list[Vectors]:
        """A scale that was learnt elsewhere, checked."""
        given = [
            as_vectors(a, called, dim=self.dim, one=True)[0]
            for a, called in ((first, name), (steps, "steps"))
        ]
        if not (given[1] > 0).all():
            raise ValueError("steps: expected numbers above 0")
        return given


def unpacked(blocks: NDArray[np.uint8], size: int, rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Some rows of the engine's blocks of 16 codes, which hold `size` rows; (n, padded d)."""
    wide = len(blocks) // max(size, 1)
    shaped = blocks.reshape(-1, wide // 4, 16, 4) if wide else blocks.reshape(0, 0, 16, 4)
    return shaped[rows // 16, :, rows % 16].reshape(len(rows), wide)


def floats_of(codec: Any, stored: NDArray[Any]) -> Vectors:
    """Stored rows as float32 (n, d): vectors, or bytes that may be padded."""
    if stored.dtype != np.uint8:
        return stored.astype(np.float32)
    found: Vectors = codec.byte_scale.decode(stored[:, : codec.dim])
    return found


class RawVectors(Scaled):
    """The vectors themselves, float32 or float16, with an 8-bit copy that only filters.

    Answers are the exact nearest of the visited cells (float16: of the rounded vectors).
    """

    kind: ClassVar[str] = "index.RawVectors"

    _beside: ClassVar[set[str]] = {"vectors"}

    dtype = Choice(*_DTYPES)

    def __init__(self, dim: int, *, metric: str = "l2", dtype: str = "float32") -> None:
        super().__init__(dim, metric)
        self.dtype = dtype

    @classmethod
    def from_word(cls, spelt: Spelt) -> RawVectors:
        """Flat, or SQfp16."""
        dtype = "float16" if spelt.word == "SQfp16" else "float32"
        return cls(spelt.dim, metric=spelt.metric, dtype=dtype)

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse | None) -> RawVectors:
        """Learn the range of the 8-bit copies: one step for all dimensions, as filters have it."""
        centre, step = _core.scan.fit_bytes(x, self.metric)
        self._use(ByteScale(centre, np.full(self.dim, step, np.float32)))
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse | None) -> Arrays:
        """The vectors."""
        with np.errstate(over="ignore"):
            vectors = x.astype(_DTYPES[self.dtype], copy=False)
        if self.dtype == "float16" and not np.isfinite(vectors).all():
            raise ValueError("x: expected numbers up to 65504 for float16")
        return {"vectors": vectors}

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse | None) -> Arrays:
        """The vectors; the range of the 8-bit copies is learnt from them."""
        some = codes if len(codes) else np.zeros((1, self.dim))
        self.fit(as_vectors(some, "codes", dim=self.dim), cells, coarse)
        return {"vectors": np.ascontiguousarray(codes, _DTYPES[self.dtype])}

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse | None) -> Vectors:
        """The vectors as float32."""
        return rows["vectors"].astype(np.float32)

    def pack(self, rows: Arrays) -> Arrays:
        """The vectors and their 8-bit copies."""
        vectors = aligned(rows["vectors"])
        return {"vectors": vectors, **self.copies({"vectors": vectors})}

    def copies(self, rows: Arrays) -> Arrays:
        """8-bit copies of the vectors, with what they lost."""
        return super().copies({"vectors": rows["vectors"].astype(np.float32, copy=False)})

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the vectors."""
        return {"vectors": packed["vectors"][rows]}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        take(packed, "vectors", _DTYPES[self.dtype], (n, self.dim))
        super().check(packed, n)

    @property
    def bytes_per_vector(self) -> float:
        """The vector, its 8-bit copy and the copy's bias and residual."""
        return self.dim * (_DTYPES[self.dtype].itemsize + 1) + 4.125


class ByteVectors(Scaled):
    """8-bit numbers, each dimension on its own scale (SQ8): exact for whole numbers 0 to 255, such as SIFT.

    Distances are to the rounded vectors. The scale spans the training vectors' range; numbers beyond are clipped.
    """

    kind: ClassVar[str] = "index.ByteVectors"

    def __init__(self, dim: int, *, metric: str = "l2") -> None:
        super().__init__(dim, metric)

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse | None) -> ByteVectors:
        """Learn centre and steps."""
        self._use(ByteScale.fit(x, self.metric))
        return self

    def adopt(self, centre: Any, steps: Any) -> ByteVectors:
        """Take over a scale: a byte c of dimension j stands for centre[j] + (c - 128) steps[j]."""
        self._use(ByteScale(*self._given_scale(centre, steps, "centre")))
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse | None) -> Arrays:
        """Codes uint8 (n, d)."""
        return {"codes": self.byte_scale.encode(x)}

    def beyond(self, x: Vectors) -> int:
        """How many vectors the scale does not hold."""
        return self.byte_scale.beyond(x)

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse | None) -> Arrays:
        """Codes (n, dim) of centre and steps that are known."""
        return {"codes": np.ascontiguousarray(codes, np.uint8)}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the codes."""
        return {"codes": unpacked(packed["blocks"], len(packed["bias"]), rows)[:, : self.dim]}

    @property
    def bytes_per_vector(self) -> float:
        """A byte a dimension, bias and residual."""
        return self.dim + 4.125
