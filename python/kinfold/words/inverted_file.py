"""What photos hold of visual words, and the inverted file that compares a query with all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.base.ranking import Neighbours
from kinfold.base.state import Arrays, check_range, check_starts, take
from kinfold.store.keyed import Keyed, Marks

# Photos that came last are kept photo by photo until they hold this many parts, or the share of all: merging then costs
# a constant time a photo, and walking them takes little of a search.
_FEW = 1 << 16
_SHARE = 1 / 32
# Arrays that were saved: photos word by word, and in the first layout words photo by photo.
LAYOUTS = (("ids", "starts", "photo", "parts"), ("ids", "starts", "held", "parts"))
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


@dataclass(frozen=True)
class ByWord:
    """What photos hold, word by word.

    starts : int64 (words + 1,); photo : uint32 (n,), ascending in each word; parts : (n, .) as in Held
    """

    photos: int
    starts: Ids
    photo: NDArray[np.uint32]
    parts: NDArray[Any]

    @lazy
    def engine(self) -> Any:
        """For the compiled functions."""
        return _core.words.ByWord(self.photos, self.starts, self.photo, self.parts)


@dataclass(frozen=True)
class InvertedFile(Keyed):
    """Which photos hold a word, and what.

    lists : of the photos that came first
    recent : photos behind them, not yet in the lists
    """

    lists: ByWord
    recent: Held

    @classmethod
    def of(cls, words: int, held: Held, ids: Ids) -> InvertedFile:
        """The lists of some photos, all merged."""
        none = ByWord(0, np.zeros(words + 1, np.int64), np.empty(0, np.uint32), held.parts[:0])
        return cls(ids, none, held).merged()

    def arrays(self) -> Arrays:
        """The living photos, word by word."""
        file = self.merged()
        lists = file.lists
        return {"ids": file.ids, "starts": lists.starts, "photo": lists.photo, "parts": lists.parts}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], words: int, width: int, bits: int
    ) -> InvertedFile:
        """From saved arrays of either layout; what serves as an address is checked.

        width : numbers of a part; bits : how many of its bits are signs, 0 for a vector
        """
        first = "held" in arrays
        ids = take(arrays, "ids", np.int64, (None,))
        groups, items = (len(ids), words) if first else (words, len(ids))
        name = "held" if first else "photo"
        starts = take(arrays, "starts", np.int64, (groups + 1,))
        found = take(arrays, name, np.uint32, (None,))
        check_starts(starts, len(found), "starts")
        check_range(found, items, name)
        falls = np.flatnonzero(found[1:] <= found[:-1]) + 1
        if not np.isin(falls, starts).all():
            raise FileFormatError(f"array '{name}': expected to ascend from start to start")
        parts = take(arrays, "parts", np.uint64 if bits else np.float32, (len(found), width))
        if bits % 64 and len(parts) and (parts[:, -1] >> np.uint64(bits % 64)).any():
            raise FileFormatError("array 'parts': expected zeros beyond the last bit")
        parts = np.ascontiguousarray(parts)
        if first:
            return cls.of(words, Held(starts, found, parts), ids)
        return cls(ids, ByWord(len(ids), starts, found, parts), Held.empty(parts))

    @property
    def words(self) -> int:
        """Of the codebook."""
        return len(self.lists.starts) - 1

    @property
    def size(self) -> int:
        """Parts of all photos, those that were removed too."""
        return len(self.lists.photo) + len(self.recent.words)

    @property
    def nbytes(self) -> int:
        """Of lists, recent photos and ids."""
        arrays = (self.lists.starts, self.lists.photo, self.lists.parts, *self.recent, self.ids)
        return sum(array.nbytes for array in arrays)

    @lazy
    def _recent(self) -> Any:
        return self.recent.engine(self.words)

    def added(self, more: Held, ids: Ids) -> InvertedFile:
        """With more photos behind the others."""
        recent = Held.joined([self.recent, more])
        alive = self.alive
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(more), np.uint8)])
        grown = replace(self, ids=np.concatenate([self.ids, ids]), recent=recent, alive=alive)
        few = len(recent.words) <= max(_FEW, _SHARE * len(self.lists.photo))
        return grown if few else grown.merged()

    def merged(self) -> InvertedFile:
        """With all photos in the lists, and none that were removed."""
        if not len(self.recent) and self.alive is None:
            return self
        number = np.arange(len(self), dtype=np.uint32)
        if self.alive is not None:
            number = np.where(self.alive != 0, np.cumsum(self.alive, dtype=np.uint32) - 1, _DROPPED)
        starts, photo, parts = self.lists.engine.merged(self._recent, number.astype(np.uint32))
        lists = ByWord(self.living, starts, photo, parts)
        return InvertedFile(self.living_ids(), lists, Held.empty(parts))

    def ordered(self, places: Ids) -> InvertedFile:
        """The living photos in another order: first that at places[0]."""
        return InvertedFile.of(
            self.words, self.by_photo().photos(places), self.living_ids()[places]
        )

    def by_photo(self) -> Held:
        """What each living photo holds."""
        return Held(*self.merged().lists.engine.by_photo())

    def photos(self, places: Ids) -> Held:
        """What some of the living photos hold, by their places among them; one walk through all lists."""
        rows, n = self.living_rows()[places], self.lists.photos
        listed = np.unique(rows[rows < n])
        wanted = np.zeros(n, np.bool_)
        wanted[listed] = True
        hits = np.flatnonzero(wanted[self.lists.photo])
        words = np.searchsorted(self.lists.starts, hits, side="right") - 1
        owner = np.searchsorted(listed, self.lists.photo[hits])
        order = np.argsort(owner, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(listed)))])
        found = Held(
            starts.astype(np.int64), words[order].astype(np.uint32), self.lists.parts[hits[order]]
        )
        recent = np.unique(rows[rows >= n])
        held = Held.joined([found, self.recent.photos(recent - n)])
        return held.photos(np.searchsorted(np.concatenate([listed, recent]), rows))

    def holders(self) -> Ids:
        """How many photos hold each word, int64 (words,)."""
        held: Ids = self.lists.engine.holders(self._recent, self.alive)
        return held

    def totals(self, weights: Vectors) -> NDArray[np.float64]:
        """The sum of the weights of each photo's words, of those that were removed too."""
        totals: NDArray[np.float64] = self.lists.engine.totals(self._recent, weights)
        return totals

    def scores(self, queries: Held, rule: Rule, factors: Vectors, threads: int) -> Vectors:
        """Similarities of queries and living photos, float32 (queries, photos); factors : one a query."""
        found: Vectors = self.lists.engine.scores(
            self._recent, **rule.asked(queries, self.words, factors), threads=threads
        )
        return found if self.alive is None else found[:, self.alive != 0]

    def best(
        self,
        queries: Held,
        rule: Rule,
        factors: Vectors,
        ids: Ids,
        admitted: Marks | None,
        k: int,
        threads: int,
    ) -> Neighbours:
        """The k largest similarities of each query with the photos' ids; ids, admitted : one a row."""
        best = self.lists.engine.best(
            self._recent, **rule.asked(queries, self.words, factors),
            ids=ids, alive=admitted, k=k, threads=threads,
        )  # fmt: skip
        return Neighbours(*best)
