"""The vectors of a second look: as they are, in half precision, or in 8 bits, which need a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.state import Arrays, check_only
from kinfold.index.codecs.scale import ByteScale

REFINEMENTS = ("float32", "float16", "uint8")


@dataclass(frozen=True)
class Fine:
    """How the vectors of the second look are kept: 8-bit numbers need a scale."""

    dtype: str
    scale: ByteScale | None = None

    @classmethod
    def fit(cls, dtype: str, x: Vectors, metric: str) -> Fine:
        """Vectors of this dtype; 8-bit numbers learn their range from x (n, d)."""
        return cls(dtype, ByteScale.fit(x, metric) if dtype == "uint8" else None)

    def arrays(self) -> Arrays:
        """What was learnt."""
        return {} if self.scale is None else self.scale.arrays()

    @classmethod
    def from_arrays(cls, dtype: str, dim: int, arrays: Mapping[str, NDArray[Any]]) -> Fine:
        """The same from its parts."""
        if dtype == "uint8":
            return cls(dtype, ByteScale.from_arrays(arrays, dim))
        check_only(arrays, set(), "arrays")
        return cls(dtype)

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
