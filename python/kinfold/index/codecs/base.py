"""What every codec is.

A codec keeps a few arrays with one row for each vector. For a search they are packed as the engine reads them,
sorted by cell; a packed array can be unpacked again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.errors import NotTrainedError
from kinfold.base.metrics import as_metric
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take_param
from kinfold.index.coarse.base import Coarse

Self = TypeVar("Self", bound="Codec")


class Spelt(NamedTuple):
    """A word of a description, and what it is said of.

    cells : which may be untrained
    numbers : those in the word, by their names in the catalogue's spelling
    training : seed and verbose
    """

    word: str
    dim: int
    metric: str
    cells: Coarse
    numbers: Mapping[str, int]
    training: Mapping[str, Any]


class Codec(Restorable, ABC):
    """Vectors to bytes and back, given their cells.

    compiled : what the engine calls it, in codecs.def
    choices : the parameters that its constructor takes and its file keeps, with their types
    variants : choices that are unlike one another, each of which the general tests make
    """

    kind: ClassVar[str]
    compiled: ClassVar[str]
    choices: ClassVar[dict[str, type]] = {"dim": int, "metric": str}
    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)

    def __init__(self, dim: int, metric: str) -> None:
        self.dim = as_count(dim, "dim", most=32768)
        self.metric = as_metric(metric, known=("l2", "ip"))
        self._changed()

    @classmethod
    def spelled(cls, spelt: Spelt) -> Any:
        """The codec that a word of a description means; ValueError for none."""
        chosen: dict[str, Any] = {"dim": spelt.dim, "metric": spelt.metric, **spelt.numbers}
        return cls(**chosen)

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

    @abstractmethod
    def arrays(self) -> Arrays:
        """What was learnt."""

    def _adopt(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what was learnt, checked; FileFormatError."""
        raise NotImplementedError

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

    def attach(self, segment: Any, packed: Mapping[str, NDArray[Any]]) -> None:
        """Give the packed arrays to a compiled segment."""
        segment.rows(self.engine(), dict(packed))

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {name: getattr(self, name) for name in self.choices}

    @classmethod
    def from_state(
        cls: type[Self], params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> Self:
        """A codec from its parts."""
        check_only(params, set(cls.choices), "parameters")
        codec = cls(**{name: take_param(params, name, kind) for name, kind in cls.choices.items()})
        codec._adopt(arrays)
        return codec

    def _changed(self) -> None:
        """What was compiled of another state is forgotten."""
        self._engines: dict[str, Any] = {}

    def _untrained(self) -> NotTrainedError:
        return NotTrainedError(f"{type(self).__name__}: call fit first")
