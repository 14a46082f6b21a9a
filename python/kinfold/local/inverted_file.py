"""What photos hold of visual words, and the inverted file that compares a query with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors

# Photos that came last are kept photo by photo until they hold this many parts, or the share of all: merging then costs
# a constant time a photo, and walking them takes little of a search.
_FEW = 1 << 16
_SHARE = 1 / 32


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
        photo = np.repeat(np.arange(len(self)), np.diff(self.starts))
        of_words = weights[self.words].astype(np.float64)
        return np.bincount(photo, weights=of_words, minlength=len(self)).astype(np.float64)

    def engine(self, words: int) -> Any:
        """For the compiled functions."""
        return _core.scan.ByPhoto(words, self.starts, self.words, np.ascontiguousarray(self.parts))


class InvertedFile:
    """Which photos hold a word, and what; never changed once made.

    photos : how many are in the lists
    starts : int64 (words + 1,); photo : uint32 (n,), ascending in each word; parts : (n, .) as in Held
    recent : photos behind them, not yet in the lists
    """

    def __init__(
        self,
        photos: int,
        starts: Ids,
        photo: NDArray[np.uint32],
        parts: NDArray[Any],
        recent: Held,
        *,
        engine: Any = None,
    ) -> None:
        self.starts, self.photo, self.recent = starts, photo, recent
        self.parts = np.ascontiguousarray(parts)
        self._listed = photos
        self._engine = engine or _core.scan.ByWord(photos, starts, photo, self.parts)
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

    def __len__(self) -> int:
        """Photos."""
        return self._listed + len(self.recent)

    @property
    def size(self) -> int:
        """Parts of all photos."""
        return len(self.photo) + len(self.recent.words)

    @property
    def nbytes(self) -> int:
        """Of lists and recent photos."""
        arrays = (self.starts, self.photo, self.parts, *self.recent)
        return sum(array.nbytes for array in arrays)

    def added(self, more: Held) -> InvertedFile:
        """With more photos behind the others."""
        recent = Held.joined([self.recent, more])
        grown = InvertedFile(
            self._listed, self.starts, self.photo, self.parts, recent, engine=self._engine
        )
        few = len(recent.words) <= max(_FEW, _SHARE * len(self.photo))
        return grown if few else grown.merged()

    def merged(self) -> InvertedFile:
        """With all photos in the lists."""
        if not len(self.recent):
            return self
        starts, photo, parts = self._engine.merged(self._recent)
        return InvertedFile(len(self), starts, photo, parts, Held.empty(parts))

    def kept(self, keep: NDArray[np.bool_]) -> InvertedFile:
        """Some of the photos, numbered anew."""
        whole = self.merged()
        rows = keep[whole.photo]
        before = np.concatenate([[0], np.cumsum(rows)])
        number = (np.cumsum(keep) - 1).astype(np.uint32)
        return InvertedFile(
            int(keep.sum()),
            before[whole.starts],
            number[whole.photo[rows]],
            whole.parts[rows],
            Held.empty(self.parts),
        )

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
        return np.diff(self.starts) + np.bincount(self.recent.words, minlength=self.words)

    def totals(self, weights: Vectors) -> NDArray[np.float64]:
        """The sum of the weights of each photo's words."""
        totals: NDArray[np.float64] = self._engine.totals(self._recent, weights)
        return totals

    def scores(
        self,
        queries: Held,
        weights: Vectors,
        table: Vectors | None,
        *,
        alpha: float,
        tau: float,
        threads: int,
    ) -> Vectors:
        """Sums over common words of weight times selectivity, float32 (queries, photos), not normalised.

        table : the selectivity of each Hamming distance, where parts are signs; else alpha and tau count
        """
        found: Vectors = self._engine.scores(
            self._recent, queries.engine(self.words), weights, table, alpha, tau, threads
        )
        return found
