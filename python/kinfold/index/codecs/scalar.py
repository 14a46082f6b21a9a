"""Scalar codes of 4 or 6 bits, each dimension on its own scale (SQ4, SQ6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.parameters import Choice
from kinfold.base.state import Arrays
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.narrow import block_bytes, narrowed, widened
from kinfold.index.codecs.raw import Scaled
from kinfold.index.codecs.scale import ByteScale

_SAMPLE = 4096
# What share of a dimension's range codes may span: squared errors are least where a few numbers are clipped.
_SHARES = np.linspace(1.0, 0.4, 13)


class ScalarCodes(Scaled):
    """Numbers of 4 or 6 bits: a code c of dimension j stands for low[j] + c step[j].

    Distances are to the rounded vectors. For distances each dimension's range is that in which the training vectors
    lose least, numbers beyond are clipped; for inner products all of it.
    """

    kind: ClassVar[str] = "index.ScalarCodes"
    compiled: ClassVar[str] = "scalar"

    bits = Choice(4, 6)

    def __init__(self, dim: int, *, metric: str = "l2", bits: int = 4) -> None:
        super().__init__(dim, metric)
        self.bits = bits

    @property
    def _unit(self) -> int:
        return int(1 << (8 - self.bits))

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> ScalarCodes:
        """Learn the range of each dimension."""
        low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
        best = self._of_range(low, high)
        if self.metric == "l2":
            some = x[:: max(1, len(x) // _SAMPLE)][:_SAMPLE]
            middle = np.median(some, axis=0).astype(np.float64)
            least = np.full(self.dim, np.inf)
            for share in _SHARES:
                scale = self._of_range(
                    middle + share * (low - middle), middle + share * (high - middle)
                )
                lost = ((some - scale.decode(self._codes(some, scale))) ** 2).mean(axis=0)
                better = lost < least
                least = np.where(better, lost, least)
                best = ByteScale(
                    np.where(better, scale.centre, best.centre),
                    np.where(better, scale.steps, best.steps),
                )
        self._use(best)
        return self

    def adopt(self, low: Any, steps: Any) -> ScalarCodes:
        """Take over a scale: a code c of dimension j stands for low[j] + c steps[j]."""
        first, wide = (x.astype(np.float64) for x in self._given_scale(low, steps, "low"))
        steps = (wide / self._unit).astype(np.float32)
        self._use(ByteScale((first + 128 * steps.astype(np.float64)).astype(np.float32), steps))
        return self

    def _of_range(self, low: NDArray[Any], high: NDArray[Any]) -> ByteScale:
        """Codes whose least and largest stand for the ends of each dimension's range."""
        # As bytes: the largest code is 256 - unit, not 255.
        return ByteScale.of_range(low, low + (high - low) * 255 / (256 - self._unit))

    def _codes(self, x: Vectors, scale: ByteScale) -> NDArray[np.uint8]:
        steps = scale.steps.astype(np.float64) * self._unit
        low = scale.centre - 128 * scale.steps.astype(np.float64)
        return narrowed((x - low) / steps, self.bits)

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes in the upper bits of bytes, uint8 (n, d)."""
        return {"codes": self._codes(x, self.byte_scale)}

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse) -> Arrays:
        """Codes (n, dim) from 0 to 2**bits - 1, of a scale that is known."""
        return {"codes": narrowed(codes, self.bits)}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the codes."""
        return {"codes": widened(packed["blocks"], self.dim, self.bits, rows)}

    @property
    def bytes_per_vector(self) -> float:
        """The code, bias and residual."""
        return block_bytes(self.dim, self.bits) / 16 + 4.125

    def parts(self) -> dict[str, Any]:
        """Centre and steps as bytes have them, and how many bits there are."""
        return {**super().parts(), "bits": self.bits}
