"""What every proposer answers.

A proposer keeps a few arrays over the rows of a segment; from those of all segments the engine makes one structure
that names rows to look at, the most promising first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.declared import Declared
from kinfold.base.state import Arrays


class Proposer(Declared, ABC):
    """Names rows that may be near a query."""

    kind: ClassVar[str]

    @abstractmethod
    def fit(self, x: Vectors) -> Any:
        """Learn from vectors (n, d)."""

    @abstractmethod
    def build(self, stored: NDArray[Any], codec: Any) -> Arrays:
        """The arrays over stored rows: vectors (n, d), or bytes (n, stride) of the codec."""

    @abstractmethod
    def check(self, arrays: Mapping[str, NDArray[Any]], n: int, dim: int) -> None:
        """Raise FileFormatError unless the arrays are those of n rows; what serves as an address is checked."""

    @abstractmethod
    def structure(self, segments: Sequence[Mapping[str, NDArray[Any]]], dim: int) -> Any:
        """The compiled structure over the arrays of all segments."""

    @abstractmethod
    def keys(self, queries: Vectors) -> Vectors | None:
        """What queries bring along besides themselves."""
