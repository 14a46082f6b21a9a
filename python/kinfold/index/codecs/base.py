"""What every codec is.

A codec keeps a few arrays with one row for each vector. For a search they are packed as the engine reads them,
sorted by cell; a packed array can be unpacked again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned
from kinfold.base.declared import Declared
from kinfold.base.parameters import Count, Metric
from kinfold.base.state import Arrays
from kinfold.index.coarse.base import Coarse


class Codec(Declared, ABC):
    """Vectors to bytes and back, given their cells.

    compiled : what the engine calls it, in codecs.def
    """

    kind: ClassVar[str]
    compiled: ClassVar[str]

    dim = Count(most=32768)
    metric = Metric(("l2", "ip"))

    def __init__(self, dim: int, metric: str) -> None:
        self.dim, self.metric = dim, metric
        self._changed()

    # --- what each codec says ------------------------------------------------------------------------

    @abstractmethod
    def fit(self, x: Vectors, cells: Ids, coarse: Coarse) -> Any:
        """Learn from vectors (n, d) and their cells."""

    @abstractmethod
    def encode(self, x: Vectors, cells: Ids, coarse: Coarse) -> Arrays:
        """Row arrays (n, ...) of vectors."""

    @abstractmethod
    def decode(self, rows: Arrays, cells: Ids, coarse: Coarse) -> Vectors:
        """The vectors that rows stand for, float32 (n, d)."""

    @abstractmethod
    def pack(self, rows: Arrays) -> Arrays:
        """Rows sorted by cell, as the engine reads them."""

    @abstractmethod
    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some rows of what was packed."""

    @abstractmethod
    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> float:
        """Bytes that a vector takes, without its id."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Arrays and numbers that the engine is told; NotTrainedError before there are any."""

    # --- what follows --------------------------------------------------------------------------------

    def beyond(self, x: Vectors) -> int:
        """How many vectors are not held by the range that was learnt."""
        return 0

    def taken_over(self, codes: NDArray[Any], cells: Ids, coarse: Coarse) -> Arrays:
        """Rows of codes that were made elsewhere; ValueError where the codec cannot."""
        raise ValueError(f"codes: {type(self).__name__} cannot take over codes")

    def engine(self) -> Any:
        """The compiled codec: the same until it learns anew, whichever thread asks first."""
        made = self._engines.get(self.compiled)
        if made is None:
            made = _core.lists.Codec(self.compiled, self.metric, self.parts())
            made = self._engines.setdefault(self.compiled, made)
        return made

    def copies(self, rows: Arrays) -> Arrays:
        """What the engine packs of rows: blocks, and what it filters by."""
        made: Arrays = self.engine().pack(rows)
        return {**made, "blocks": aligned(made["blocks"])}

    def attach(self, segment: Any, packed: Mapping[str, NDArray[Any]]) -> None:
        """Give the packed arrays to a compiled segment."""
        segment.rows(self.engine(), dict(packed))

    def _changed(self) -> None:
        """What was compiled of another state is forgotten."""
        self._engines: dict[str, Any] = {}
