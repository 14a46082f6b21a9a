"""What every codec answers.

A codec keeps a few arrays with one row for each vector. For a search they are packed as the engine reads them,
sorted by cell; a packed array can be unpacked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.state import JSON, Arrays
from kinfold.index.coarse.base import Coarse


class Codec(Protocol):
    """Vectors to bytes and back, given their cells."""

    kind: ClassVar[str]
    dim: int
    metric: str

    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> Any:
        """Learn from vectors (n, d) and their cells."""
        ...

    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Row arrays (n, ...) of vectors."""
        ...

    def beyond(self, x: Vectors) -> int:
        """How many vectors are not held by the range that was learnt."""
        ...

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse) -> Arrays:
        """Rows of codes that were made elsewhere; ValueError where the codec cannot."""
        ...

    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that rows stand for, float32 (n, d)."""
        ...

    def pack(self, rows: Arrays) -> Arrays:
        """Rows sorted by cell, as the engine reads them."""
        ...

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some rows of what was packed."""
        ...

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        ...

    def engine(self) -> Any:
        """The compiled codec."""
        ...

    def attach(self, segment: Any, packed: Mapping[str, NDArray[Any]]) -> None:
        """Give the packed arrays to a compiled segment."""
        ...

    @property
    def bytes_per_vector(self) -> float:
        """Bytes that a vector takes, without its id."""
        ...

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        ...

    def arrays(self) -> Arrays:
        """What was learnt."""
        ...

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """A codec from its parts."""
        ...
