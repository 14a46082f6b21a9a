"""The vectors of a second look: as they are, in half precision, or in 8 bits, which need a scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.declared import Declared
from kinfold.base.parameters import Choice, Count, Metric
from kinfold.index.codecs.scale import ByteScale, Scale

REFINEMENTS = ("float32", "float16", "uint8")


class Fine(Declared):
    """How the vectors of the second look are kept: 8-bit numbers need a scale."""

    dim = Count()
    dtype = Choice(*REFINEMENTS)
    metric = Metric()
    scale = Scale(when="_bytes")

    def __init__(self, dim: int, dtype: str, metric: str) -> None:
        self.dim, self.dtype, self.metric = dim, dtype, metric

    @property
    def _bytes(self) -> bool:
        return self.dtype == "uint8"

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of a vector."""
        return np.dtype(self.dtype).itemsize * self.dim

    def fit(self, x: Vectors) -> Fine:
        """8-bit numbers learn their range from x (n, d)."""
        if self._bytes:
            self.scale = ByteScale.fit(x, self.metric)
        return self

    def parts(self) -> tuple[Vectors | None, Vectors | None]:
        """Centre and steps of 8-bit numbers, as the engine takes them."""
        return (None, None) if self.scale is None else (self.scale.centre, self.scale.steps)

    def encode(self, x: Vectors) -> NDArray[Any]:
        """Vectors as they are kept; ValueError for numbers that half precision cannot hold."""
        if self.scale is not None:
            return self.scale.encode(x)
        with np.errstate(over="ignore"):
            kept = x.astype(self.dtype)
        if not np.isfinite(kept).all():
            raise ValueError("x: expected numbers up to 65504 for a float16 refinement")
        return kept

    def beyond(self, x: Vectors) -> int:
        """How many vectors the scale does not hold."""
        return 0 if self.scale is None else self.scale.beyond(x)

    def decode(self, kept: NDArray[Any]) -> Vectors:
        """What the kept numbers stand for."""
        return kept.astype(np.float32) if self.scale is None else self.scale.decode(kept)
