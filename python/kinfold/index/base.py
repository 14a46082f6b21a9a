"""What every index of vectors is: the public protocol, and the one way in which all of them are asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import (
    Ids,
    Vectors,
    as_count,
    as_ids,
    as_number,
    as_threads,
    as_vectors,
    is_one,
)
from kinfold.base.parameters import Count, Metric
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, steady
from kinfold.index.rows import Batch
from kinfold.store.keyed import Keys, Marks
from kinfold.store.table import Table

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar as Defaulted

    from kinfold.index.tune import Setting

    H = Defaulted("H", bound=Keys[Any], default=Any)
else:
    H = TypeVar("H")
# Checks what a search option is given: value and name to the value.
Option: TypeAlias = Callable[[Any, str], Any]


class RangeResult(NamedTuple):
    """What a range search returns: query i has the entries starts[i] to starts[i + 1]."""

    starts: Ids
    distances: Vectors
    ids: Ids


class Asked(NamedTuple):
    """What every search is given.

    queries : prepared
    admitted : a mask for each part of the rows, or None where nothing is filtered
    """

    queries: Vectors
    admitted: list[Marks | None] | None
    threads: int


class Index(Table[H]):
    """Vectors with ids that are searched by nearness: what `index_factory` makes and `kinfold.load` gives back.

        search(queries, k, filter=, threads=, **options)
          │  k, threads, options        checked by name; one that this kind has not is refused
          │  queries ─► _prepared       float32 (n, d); for "cosine" of length one
          │  filter  ─► Keys.admitted   a mark for each row of each part
          ▼
        _ask(rows, asked, k, **options)      the kind: what it visits, and how it compares
          ▼
        Neighbours(distances, ids)

    A kind says which options it has, how rows are encoded and decoded, and answers ``_ask`` and ``_within``: by the
    ``scan`` of the rows held, whose ``search`` and ``range_search`` are also what shards answer (kinfold.shards).

    dim : dimension of the vectors; metric : "l2", "ip" or "cosine"
    options : the keyword options of ``search`` by name; range_options : those that ``range_search`` takes as well
    """

    # Keyword options of ``search``, and those among them that ``range_search`` takes; None stands for the index's own.
    options: ClassVar[Mapping[str, Option]] = {}
    range_options: ClassVar[frozenset[str]] = frozenset()

    dim = Count(most=1 << 20)
    metric = Metric()

    def __init__(self, dim: int, metric: str) -> None:
        super().__init__()
        self.dim, self.metric = dim, metric

    # --- what each kind says ---------------------------------------------------------------------------

    @property
    @abstractmethod
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""

    @abstractmethod
    def fit(self, x: ArrayLike) -> Self:
        """Learn what the index needs from vectors (n, d): a sample of what will be added."""

    @abstractmethod
    def add(self, x: ArrayLike, ids: ArrayLike | None = None) -> Ids:
        """Add vectors (n, d) and return their ids (n,), which number on where none are given."""

    @abstractmethod
    def update(self, ids: ArrayLike, x: ArrayLike) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""

    @abstractmethod
    def _ask(self, held: H, asked: Asked, *k: Any, **options: Any) -> Any:
        """Distances float32 (n, k) and ids int64 (n, k), by the options that were given."""

    @abstractmethod
    def _within(self, held: H, asked: Asked, *radius: Any, **options: Any) -> Any:
        """Starts, distances and ids of all rows within a radius."""

    @abstractmethod
    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        """Rows of prepared vectors."""

    @abstractmethod
    def _batch(self, part: Any, rows: NDArray[np.intp]) -> Batch:
        """Some rows of a part, as they were encoded."""

    @abstractmethod
    def _take_in(self, batch: Batch) -> None:
        """Add rows that were encoded; those of ids that are there take their places."""

    @abstractmethod
    def _stored(self, part: Any, rows: NDArray[np.intp]) -> Vectors:
        """What is stored of some rows of a part, float32 (n, d)."""

    @abstractmethod
    def stats(self) -> dict[str, JSON]:
        """Sizes, and what searches have cost so far."""

    @property
    def _ascends(self) -> bool:
        """Whether a search ranks by what ascends, before any second look."""
        return self.metric == "l2"

    # --- what all do -----------------------------------------------------------------------------------

    def train(self, x: ArrayLike) -> Self:
        """``fit``, under faiss's name."""
        return self.fit(x)

    @steady
    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        filter: ArrayLike | None = None,
        threads: int = 0,
        **options: Any,
    ) -> Neighbours:
        """The k nearest neighbours of each query, ties by ascending id.

        queries : (n, d), or one vector (d,), which is answered by (k,)
        filter : ids that may answer (unknown ones are ignored), or a boolean mask over ``index.ids``
        threads : 0 for the library's setting
        options : those of this kind of index, see there
        Returns distances float32 (n, k) and ids int64 (n, k), nearest first; where there are fewer than k:
        +inf (similarities: -inf) and -1.
        """
        held = self._require_fitted()
        k = as_count(k, "k", most=1 << 24)
        chosen = self._chosen(options, self.options)
        one = is_one(queries, "queries")
        asked = self._asked(held, queries, filter, threads)
        distances, ids = self._ask(held, asked, k, **chosen)
        return Neighbours(distances[0], ids[0]) if one else Neighbours(distances, ids)

    @steady
    def range_search(
        self,
        queries: ArrayLike,
        radius: float,
        *,
        filter: ArrayLike | None = None,
        threads: int = 0,
        **options: Any,
    ) -> RangeResult:
        """All vectors within a radius of each query, nearest first; of what is visited, and without a second look.

        radius : squared distance at most this ("l2"), or similarity at least this
        filter, threads, options : as for ``search``
        Returns starts int64 (n + 1,), distances float32 and ids int64 of all entries.
        """
        held = self._require_fitted()
        bound = as_number(radius, "radius", least=0.0 if self.metric == "l2" else -np.inf)
        chosen = self._chosen(options, self.range_options)
        asked = self._asked(held, queries, filter, threads)
        return RangeResult(*self._within(held, asked, bound, **chosen))

    @steady
    def reconstruct(self, ids: ArrayLike) -> Vectors:
        """What is stored of the vectors with these ids, float32 (n, d): decoded and transformed back.

        With a second look, what that keeps. For "cosine" the vectors have length one.
        """
        wanted = as_ids(ids, "ids")
        out = np.empty((len(wanted), self.dim), np.float32)
        for part, mine, rows in self._require_fitted().located(wanted):
            out[mine] = self._stored(part, rows)
        return out

    @property
    def n_centroids(self) -> int:
        """How many centroids ``fit`` learns, each of which wants a sample of vectors."""
        return 1

    def search_space(self, k: int = 10) -> dict[str, tuple[float, ...]]:
        """Search options with values worth trying for k neighbours, ascending; nothing for exhaustive search."""
        return {}

    def tune(
        self,
        queries: ArrayLike,
        truth: ArrayLike | None = None,
        k: int = 10,
        *,
        recall: float = 0.9,
        **choices: Any,
    ) -> Setting:
        """The fastest setting that reaches a recall: ``search(q, k, **setting.options)``. See `kinfold.index.tune`."""
        from kinfold.index.tune import tune

        return tune(self, queries, truth, k, recall=recall, **choices)

    # --- inside ----------------------------------------------------------------------------------------

    def _prepared(self, x: Any, name: str, *, empty: bool = False, one: bool = False) -> Vectors:
        cosine = self.metric == "cosine"  # lengths are divided out, whatever they are
        vectors = as_vectors(x, name, dim=self.dim, empty=empty, one=one, long=cosine)
        return unit_rows(vectors) if cosine else vectors

    def _asked(self, held: H, queries: Any, filter: Any, threads: int) -> Asked:
        vectors = self._prepared(queries, "queries", empty=True, one=True)
        return Asked(vectors, self._admitted(held, filter), as_threads(threads))

    def _admitted(self, held: H, filter: Any) -> list[Marks | None] | None:
        return None if filter is None else held.admitted(filter)

    def _chosen(self, options: dict[str, Any], known: Any) -> dict[str, Any]:
        """The options that were given, checked; TypeError for one that is not known."""
        for name in options.keys() - set(known):
            offered = f"one of {', '.join(sorted(known))}" if known else "no option"
            raise TypeError(f"{name}: expected {offered} of {type(self).__name__}")
        return {n: self.options[n](v, n) for n, v in options.items() if v is not None}


def unit_rows(x: Vectors) -> Vectors:
    """Rows scaled to length one; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return (x * scale[:, None]).astype(np.float32)
