"""What photos hold of visual words, and the inverted file that compares a query with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors
from kinfold.base.ranking import Neighbours

# Photos that came last are kept photo by photo until they hold this many parts, or the share of all: merging then costs
# a constant time a photo, and walking them takes little of a search.
_FEW = 1 << 16
_SHARE = 1 / 32
# Removed photos stay in the lists, passed over, until they are more than this share.
_DEAD = 1 / 4
_DROPPED = np.uint32(0xFFFFFFFF)


class Held(NamedTuple):
    """What photos hold of visual words, photo by photo.

    starts : int64 (photos + 1,)
    words : uint32 (n,), ascending in each photo
    parts : uint64 (n, ceil(d / 64)) signs, or float32 (n, d) vectors of length one
    """

    starts: Ids
    words: NDArray[np.uint32]
    parts: NDArray[Any]

    @classmethod
    def empty(cls, parts: NDArray[Any]) -> Held:
        """No photos, with parts like these."""
        return cls(np.zeros(1, np.int64), np.empty(0, np.uint32), parts[:0])

    @classmethod
    def joined(cls, several: Sequence[Held]) -> Held:
        """The photos of several, at least one, one behind the other."""
        if len(several) == 1:
            return several[0]
        counts = np.concatenate([np.diff(held.starts) for held in several])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        words = np.concatenate([held.words for held in several])
        return cls(starts, words, np.concatenate([held.parts for held in several]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def photos(self, places: Ids) -> Held:
        """Some of the photos."""
        counts = np.diff(self.starts)[places]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.starts[places] - starts[:-1], counts) + np.arange(starts[-1])
        return Held(starts, self.words[rows], self.parts[rows])

    def totals(self, weights: Vectors) -> NDArray[np.float64]:
        """The sum of the weights of each photo's words."""
        totals: NDArray[np.float64] = self.engine(len(weights)).totals(weights)
        return totals

    def engine(self, words: int) -> Any:
        """For the compiled functions."""
        return _core.words.ByPhoto(words, self.starts, self.words, np.ascontiguousarray(self.parts))


class Rule(NamedTuple):
    """How common words count: weight * sign(u) |u|^alpha for a likeness u > tau, times a factor of both photos.

    weights : float32 (words,)
    table : float32, what each Hamming distance counts, where parts are signs; else alpha and tau count
    factors : float32 (photos,), of all rows
    """

    weights: Vectors
    table: Vectors | None
    alpha: float
    tau: float
    factors: Vectors

    def asked(self, queries: Held, words: int, factors: Vectors) -> dict[str, Any]:
        """What the compiled functions take."""
        return {
            "queries": queries.engine(words), "weights": self.weights, "table": self.table, "alpha": self.alpha,
            "tau": self.tau, "query_factor": factors, "factor": self.factors,
        }  # fmt: skip


class InvertedFile:
    """Which photos hold a word, and what; never changed once made.

    photos : how many are in the lists
    starts : int64 (words + 1,); photo : uint32 (n,), ascending in each word; parts : (n, .) as in Held
    recent : photos behind them, not yet in the lists
    alive : uint8, 0 for photos of either that were removed since, or None
    """

    def __init__(
        self,
        photos: int,
        starts: Ids,
        photo: NDArray[np.uint32],
        parts: NDArray[Any],
        recent: Held,
        alive: NDArray[np.uint8] | None = None,
        *,
        engine: Any = None,
    ) -> None:
        self.starts, self.photo, self.recent, self.alive = starts, photo, recent, alive
        self.parts = np.ascontiguousarray(parts)
        self._listed = photos
        self._engine = engine or _core.words.ByWord(photos, starts, photo, self.parts)
        self._recent = recent.engine(self.words)

    @classmethod
    def of(cls, words: int, held: Held) -> InvertedFile:
        """The lists of some photos, all merged."""
        nothing = np.zeros(words + 1, np.int64)
        return cls(0, nothing, np.empty(0, np.uint32), held.parts[:0], held).merged()

    @property
    def words(self) -> int:
        """Of the codebook."""
        return len(self.starts) - 1

    @property
    def rows(self) -> int:
        """Photos, those that were removed too."""
        return self._listed + len(self.recent)

    def __len__(self) -> int:
        """Photos."""
        return self.rows if self.alive is None else int(self.alive.sum())

    @property
    def size(self) -> int:
        """Parts of all photos, those that were removed too."""
        return len(self.photo) + len(self.recent.words)

    @property
    def nbytes(self) -> int:
        """Of lists and recent photos."""
        arrays = (self.starts, self.photo, self.parts, *self.recent)
        return sum(array.nbytes for array in arrays)

    def living(self, of_rows: NDArray[Any]) -> NDArray[Any]:
        """Of an array whose last axis is all photos, the columns of those that were not removed."""
        return of_rows if self.alive is None else of_rows[..., self.alive != 0]

    def _with(self, recent: Held, alive: NDArray[np.uint8] | None) -> InvertedFile:
        return InvertedFile(
            self._listed, self.starts, self.photo, self.parts, recent, alive, engine=self._engine
        )

    def added(self, more: Held) -> InvertedFile:
        """With more photos behind the others."""
        recent = Held.joined([self.recent, more])
        alive = self.alive
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(more), np.uint8)])
        grown = self._with(recent, alive)
        few = len(recent.words) <= max(_FEW, _SHARE * len(self.photo))
        return grown if few else grown.merged()

    def merged(self) -> InvertedFile:
        """With all photos in the lists, and none that were removed."""
        if not len(self.recent) and self.alive is None:
            return self
        number = np.arange(self.rows, dtype=np.uint32)
        if self.alive is not None:
            number = np.where(self.alive != 0, np.cumsum(self.alive, dtype=np.uint32) - 1, _DROPPED)
        starts, photo, parts = self._engine.merged(self._recent, number.astype(np.uint32))
        return InvertedFile(len(self), starts, photo, parts, Held.empty(parts))

    def kept(self, keep: NDArray[np.bool_]) -> InvertedFile:
        """Some of the photos; keep tells of each whether it stays."""
        alive = np.ones(self.rows, np.uint8) if self.alive is None else self.alive.copy()
        alive[alive != 0] = keep
        fewer = self._with(self.recent, alive)
        few = self.rows - len(fewer) <= _DEAD * self.rows
        return fewer if few else fewer.merged()

    def ordered(self, places: Ids) -> InvertedFile:
        """The same photos in another order: first that at places[0]."""
        if np.array_equal(places, np.arange(len(self))):
            return self
        return InvertedFile.of(self.words, self.by_photo().photos(places))

    def by_photo(self) -> Held:
        """What each photo holds."""
        return Held(*self.merged()._engine.by_photo())

    def holders(self) -> Ids:
        """How many photos hold each word, int64 (words,)."""
        held: Ids = self._engine.holders(self._recent, self.alive)
        return held

    def totals(self, weights: Vectors) -> NDArray[np.float64]:
        """The sum of the weights of each photo's words, of those that were removed too."""
        totals: NDArray[np.float64] = self._engine.totals(self._recent, weights)
        return totals

    def scores(self, queries: Held, rule: Rule, factors: Vectors, threads: int) -> Vectors:
        """Similarities of queries and photos, float32 (queries, photos); factors : one a query."""
        found: Vectors = self._engine.scores(
            self._recent, **rule.asked(queries, self.words, factors), threads=threads
        )
        return self.living(found)

    def best(
        self, queries: Held, rule: Rule, factors: Vectors, ids: Ids, k: int, threads: int
    ) -> Neighbours:
        """The k largest similarities of each query with the photos' ids; ids : one a row."""
        distances, found = self._engine.best(
            self._recent, **rule.asked(queries, self.words, factors),
            ids=ids, alive=self.alive, k=k, threads=threads,
        )  # fmt: skip
        return Neighbours(np.negative(distances), found)
