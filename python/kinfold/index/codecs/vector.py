"""Vector quantization as a codec: the number of a codeword stands for a vector (VQ4096)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Part
from kinfold.base.spelling import Spelt
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Codec
from kinfold.quantize.vector import VectorQuantizer


class VectorCodes(Codec):
    """Numbers of codewords of one codebook over whole vectors, in lists too: one, two or three bytes a vector.

    A query's distances to all codewords are computed once; a row's is looked up.

    quantizer : trained with the codec
    Gray, IEEE ASSP Magazine 1984.
    """

    kind: ClassVar[str] = "index.VectorCodes"
    compiled: ClassVar[str] = "vector"

    quantizer = Part(VectorQuantizer)

    def __init__(self, dim: int, quantizer: VectorQuantizer, *, metric: str = "l2") -> None:
        super().__init__(dim, metric)
        self.quantizer = quantizer

    @classmethod
    def from_word(cls, spelt: Spelt) -> VectorCodes:
        """VQ4096: 4,096 codewords."""
        quantizer = VectorQuantizer(spelt.numbers["k"], **spelt.training)
        return cls(spelt.dim, quantizer, metric=spelt.metric)

    @property
    def width(self) -> int:
        """Bytes of a code."""
        return max(1, -(-self.quantizer.code_bits // 8))

    @property
    def bytes_per_vector(self) -> float:
        """Bytes of a code."""
        return float(self.width)

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> VectorCodes:
        """Learn the codebook from at least k vectors."""
        self.quantizer.fit(x)
        self._changed()
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes, uint8 (n, width), the lowest byte first."""
        codes = self.quantizer.encode(x).astype("<u4")
        return {"codes": codes.view(np.uint8).reshape(-1, 4)[:, : self.width]}

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The codewords of codes."""
        codes = np.zeros((len(rows["codes"]), 4), np.uint8)
        codes[:, : self.width] = rows["codes"]
        return self.quantizer.decode(codes.view("<u4")[:, 0])

    def pack(self, rows: Arrays) -> Arrays:
        """Codes row by row."""
        return {"codes": np.ascontiguousarray(rows["codes"])}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the codes."""
        return {"codes": packed["codes"][rows]}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed codes are those of n rows; the engine looks at the numbers."""
        check_only(packed, {"codes"}, "arrays")
        take(packed, "codes", np.uint8, (n, self.width))

    def parts(self) -> dict[str, Any]:
        """The codebook."""
        return {"codebook": self.quantizer.codebook}

    def _settle(self, sides: Mapping[str, Any]) -> None:
        if self.quantizer.codebook.shape[1] != self.dim:
            raise FileFormatError(f"codebook: expected codewords of dimension {self.dim}")
