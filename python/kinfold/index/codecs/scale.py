"""Numbers in 8 bits: where each dimension begins and how far one step goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Held, Scope
from kinfold.base.state import JSON, Arrays, check_only, take

# Below this, squares vanish in float32.
_LEAST = float(np.finfo(np.float32).tiny) * 2**20
# Rows that are looked at together, and vectors that clipping is tried on.
_ROWS, _SAMPLE = 16384, 1024
# How often a range is halved in search of one without outliers: they lie up to 2**40 times as far.
_HALVINGS = 40
# A number this many steps beyond its range is not held: a quarter of the range.
_BEYOND = 64


@dataclass(frozen=True)
class ByteScale:
    """A byte c stands for centre + (c - 128) step, in each dimension.

    centre, steps : float32 (d,)
    """

    centre: Vectors
    steps: Vectors

    @classmethod
    def fit(cls, x: Vectors, metric: str) -> ByteScale:
        """Learn from all rows of x (n, d): whole numbers 0 to 255 stay what they are, all others fill their range.

        No row is clipped, unless a few outliers would leave most numbers less than half as exact; and for
        inner products never: what is largest is what they look for.
        """
        low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
        # Zeros and ones are kept exactly by any range, and tell nothing of what may come.
        whole = low.min() >= 0 and 1 < high.max() <= 255
        if whole and all((piece == np.rint(piece)).all() for piece in _pieces(x)):
            return cls(np.full(x.shape[1], 128, np.float32), np.ones(x.shape[1], np.float32))
        best = cls.of_range(low, high)
        if metric != "l2":
            return best
        some = x[:: max(1, len(x) // _SAMPLE)][:_SAMPLE]
        middle = np.median(some, axis=0).astype(np.float64)
        reach, least = np.maximum(high - middle, middle - low), best.loss(some) / 2
        for _ in range(_HALVINGS):
            reach /= 2
            narrower = cls.of_range(
                np.maximum(low, middle - reach), np.minimum(high, middle + reach)
            )
            loss = narrower.loss(some)
            if loss < least:
                best, least = narrower, loss
            elif loss >= 4 * least:
                break
        return best

    @classmethod
    def of_range(cls, low: NDArray[Any], high: NDArray[Any]) -> ByteScale:
        """Bytes whose least and largest stand for the ends of each dimension's range."""
        steps = (high - low) / 255
        # Where all numbers are the same there is no range: as coarse a step as any other dimension's.
        steps[steps <= 0] = steps.max()
        steps = steps.astype(np.float32).clip(_LEAST)
        return cls((low + 128 * steps.astype(np.float64)).astype(np.float32), steps)

    def loss(self, x: Vectors) -> float:
        """The mean distance of rows from what stands for them."""
        lost = (x - self.decode(self.encode(x))).astype(np.float64)
        return float(np.sqrt(np.einsum("ij,ij->i", lost, lost)).mean())

    def encode(self, x: Vectors) -> NDArray[np.uint8]:
        """The nearest bytes, uint8 (n, d)."""
        out = np.empty(x.shape, np.uint8)
        for piece, to in zip(_pieces(x), _pieces(out)):
            to[:] = np.rint(self._in_steps(piece)).clip(-128, 127) + 128
        return out

    def decode(self, codes: NDArray[np.uint8]) -> Vectors:
        """What bytes (n, d) stand for, float32."""
        out = np.empty(codes.shape, np.float32)
        for piece, to in zip(_pieces(codes), _pieces(out)):
            to[:] = (piece.astype(np.float64) - 128) * self.steps.astype(np.float64) + self.centre
        return out

    def beyond(self, x: Vectors) -> int:
        """How many rows have a number far beyond what the bytes can stand for."""
        return sum(
            int(((at < -128 - _BEYOND) | (at > 127 + _BEYOND)).any(axis=1).sum())
            for at in map(self._in_steps, _pieces(x))
        )

    def _in_steps(self, x: Vectors) -> Vectors:
        with np.errstate(over="ignore"):
            steps: Vectors = (x - self.centre) * (1 / self.steps.astype(np.float64)).astype(
                np.float32
            )
        return steps

    def arrays(self) -> Arrays:
        """Centre and steps, of which one is kept where all are alike."""
        alike = (self.steps == self.steps[0]).all()
        return {"centre": self.centre, "scale": self.steps[:1] if alike else self.steps}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], dim: int) -> ByteScale:
        """The same from its arrays; one step stands for all dimensions. Raises FileFormatError."""
        check_only(arrays, {"centre", "scale"}, "arrays")
        centre = take(arrays, "centre", np.float32, (dim,))
        steps = take(arrays, "scale", np.float32, (None,))
        if len(steps) not in (1, dim):
            raise FileFormatError(f"array 'scale': expected 1 or {dim} steps, got {len(steps)}")
        if not (np.isfinite(centre).all() and np.isfinite(steps).all() and (steps > 0).all()):
            raise FileFormatError("array 'scale': expected finite numbers and steps above 0")
        return cls(
            np.ascontiguousarray(centre), np.ascontiguousarray(np.broadcast_to(steps, (dim,)))
        )


class Scale(Held[ByteScale]):
    """A scale that is learnt, for vectors of the owner's ``dim``; files hold ``centre`` and ``scale``."""

    def __init__(self, when: str | None = None) -> None:
        self.when = when

    def absent(self, owner: type) -> Any:
        """None where there may be none."""
        return None if self.when else super().absent(owner)

    def holds(self, name: str) -> bool:
        """Whether a file's array of that name is its."""
        return name in ("centre", "scale")

    def to_arrays(self, value: ByteScale, scope: Scope) -> Arrays:
        """Centre and steps."""
        return value.arrays()

    def from_state(
        self, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], scope: Scope
    ) -> ByteScale | None:
        """The scale, if there is one."""
        if not self.wanted(arrays, scope):
            return None
        own = {name: a for name, a in arrays.items() if self.holds(name)}
        return ByteScale.from_arrays(own, scope.made.dim)


def warn_of_beyond(beyond: int, n: int) -> None:
    """Say that rows of an addition are not held by the range that was learnt."""
    if beyond:
        logging.getLogger("kinfold").warning(
            "add: %d of %d vectors lie far beyond the range that 8-bit numbers learnt from the training vectors, and"
            " are stored clipped; train on vectors like those that are added",
            beyond, n,
        )  # fmt: skip


def _pieces(x: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (x[at : at + _ROWS] for at in range(0, len(x), _ROWS))
