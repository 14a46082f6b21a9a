"""Numbers of 4 or 8 bits, each vector on its own scale, and perhaps 8 bits more (LVQ4, LVQ8, LVQ4x8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Codec
from kinfold.index.codecs.narrow import (
    block_bytes,
    check_blocks,
    narrowed,
    padded,
    take_finite,
    widened,
)

# Rows that are encoded or decoded together.
_ROWS = 16384
_SCALES = ("norm", "low", "step", "loss")


class LocallyAdaptiveCodes(Codec):
    """Locally-adaptive vector quantization: a vector less the mean of all, between its own least and largest number.

    bits : of the first level, 4 or 8, by which lists are scanned
    second : bits of the second level, 8 or 0 for none: what the first one lost, by which rows are ranked
    Aguerrebere, Bhati, Hildebrand, Tepper & Willke, "Similarity search in the blink of an eye with compressed
    indices", VLDB 2023.
    """

    kind: ClassVar[str] = "index.LocallyAdaptiveCodes"
    compiled: ClassVar[str] = "lvq"

    bits = Choice(4, 8)
    second = Choice(0, 8)
    mean = Learnt(np.float32, ("dim",), finite=True)

    def __init__(self, dim: int, *, metric: str = "l2", bits: int = 4, second: int = 0) -> None:
        super().__init__(dim, metric)
        self.bits, self.second = bits, second

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> LocallyAdaptiveCodes:
        """Learn the mean."""
        self.mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._changed()
        return self

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Codes in the upper bits of bytes (n, d), low and step (n, 2), and the second level's bytes (n, d)."""
        n = len(x)
        rows: Arrays = {
            "codes": np.empty((n, self.dim), np.uint8),
            "scales": np.empty((n, 2), np.float32),
        }
        if self.second:
            rows["second"] = np.empty((n, self.dim), np.uint8)
        for at in range(0, n, _ROWS):
            part = slice(at, at + _ROWS)
            for name, made in self._encoded(x[part]).items():
                rows[name][part] = made
        return rows

    def _encoded(self, x: Vectors) -> Arrays:
        away = x.astype(np.float64) - self.mean
        low = away.min(axis=1).astype(np.float32)
        # The step of a byte, of which a code has 2**(8 - bits).
        step = ((away.max(axis=1) - low) / (256 - (1 << (8 - self.bits)))).astype(np.float32)
        scales = np.stack([low, np.maximum(step, np.float32(1e-30))], axis=1)
        wide = scales.astype(np.float64)
        in_steps = (away - wide[:, :1]) / wide[:, 1:]
        rows: Arrays = {
            "codes": narrowed(in_steps / (1 << (8 - self.bits)), self.bits), "scales": scales,
        }  # fmt: skip
        if self.second:
            lost = (in_steps - rows["codes"]) / (1 << (8 - self.bits))
            rows["second"] = narrowed(lost * 255 + 127.5, 8)
        return rows

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that both levels stand for."""
        out = np.empty(rows["codes"].shape, np.float32)
        for at in range(0, len(out), _ROWS):
            part = slice(at, at + _ROWS)
            low, step = rows["scales"][part].astype(np.float64).T[:, :, None]
            x = self.mean + (low + step * rows["codes"][part])
            if self.second:
                x += (rows["second"][part] - 127.5) * (step * (1 << (8 - self.bits)) / 255)
            out[part] = x
        return out

    def pack(self, rows: Arrays) -> Arrays:
        """Codes in the engine's blocks, with what it filters by."""
        return self.copies({name: np.ascontiguousarray(array) for name, array in rows.items()})

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the codes."""
        out: Arrays = {
            "codes": widened(packed["blocks"], self.dim, self.bits, rows),
            "scales": np.stack([packed["low"][rows], packed["step"][rows]], axis=1),
        }
        return {**out, "second": packed["second"][rows]} if self.second else out

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        second = {"second"} if self.second else set()
        check_only(packed, {"blocks", "sizes", *_SCALES, *second}, "arrays")
        check_blocks(packed, self.dim, self.bits, n)
        for name in _SCALES:
            take_finite(packed, name, np.float32, padded(n))
        take_finite(packed, "sizes", np.float64, 5)
        if self.second:
            take(packed, "second", np.uint8, (n, self.dim))

    @property
    def bytes_per_vector(self) -> float:
        """Both levels, and four numbers a row."""
        return block_bytes(self.dim, self.bits) / 16 + 16 + (self.dim if self.second else 0)

    def parts(self) -> dict[str, Any]:
        """The mean and the levels."""
        return {"mean": self.mean, "bits": self.bits, "second": bool(self.second)}
