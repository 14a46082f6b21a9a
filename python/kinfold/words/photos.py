"""What every inverted file of photos shares: how photos come and go, and how it is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Ids, Vectors, as_count, as_ids, as_threads
from kinfold.base.learnt import Part
from kinfold.base.ranking import Neighbours
from kinfold.base.state import steady
from kinfold.store.keyed import Keys, Marks, as_new_ids, last_of
from kinfold.store.table import Table
from kinfold.words.words import VisualWords

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Keys[Any])


class PhotoTable(Table[H]):
    """Photos with ids, each known by its visual words.

        add(photos)     local descriptors ─► words ─► sealed part ─► Keys
        search(photos)  local descriptors ─► words ─► _asked ─► _best ─► Neighbours
                                                        ▲
                              _ready: what the words weigh, made by the first search after photos came or went

    A kind says how photos are sealed (``_sealed``), joined and put in order, and answers ``_asked``, ``_best`` and
    ``_scores``.
    """

    words = Part(VisualWords)

    # --- what each kind says ---------------------------------------------------------------------------

    @abstractmethod
    def fit(self, descriptors: ArrayLike) -> Self:
        """Learn from local descriptors (n, d), the words too where they are not learnt yet."""

    @abstractmethod
    def _sealed(self, photos: Sequence[Any]) -> Any:
        """What is kept of photos, for ``_with``; without the lock."""

    @abstractmethod
    def _with(self, held: H, made: Any, ids: Ids) -> tuple[Any, ...]:
        """The parts of a table, and behind them what was sealed, under these ids."""

    @abstractmethod
    def _in_order(self, held: H, places: Ids) -> tuple[Any, ...]:
        """Parts with the same photos: first that at places[0]."""

    @abstractmethod
    def _ready(self) -> Any:
        """The present photos, ``held``, with what their words weigh."""

    @abstractmethod
    def _asked(self, ready: Any, photos: Sequence[Any], threads: int) -> Any:
        """Queries as ``_best`` and ``_scores`` take them."""

    @abstractmethod
    def _best(
        self,
        ready: Any,
        asked: Any,
        ids: list[Ids],
        admitted: list[Marks | None],
        k: int,
        threads: int,
    ) -> Neighbours:
        """The k best of each query; ids : what the rows of each part are called."""

    @abstractmethod
    def _scores(self, ready: Any, asked: Any, threads: int) -> Vectors:
        """Similarities to all living photos, float32 (queries, photos)."""

    @abstractmethod
    def _stored(self, ready: Any) -> Iterator[tuple[int, Any]]:
        """The stored photos as queries, some at a time, with how many."""

    @abstractmethod
    def _stored_at(self, ready: Any, places: Ids) -> Any:
        """The stored photos at some places among the living, as queries."""

    @abstractmethod
    def _made_of(self, held: H) -> Any:
        """The living photos of another table over the same words, for ``_with``."""

    # --- what all do -----------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Dimension of the descriptors."""
        self._require_fitted()
        return int(self.words.centroids.shape[1])

    def add(self, photos: Sequence[ArrayLike], ids: ArrayLike | None = None) -> Ids:
        """Add photos, each its local descriptors (n_i, d); returns their ids, which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        self._require_fitted()
        training, photos = self._training, list(photos)
        given = as_new_ids(ids, len(photos))
        made = self._sealed(photos)
        with self._lock:
            held = self._trained_still(training, "photos")
            new = held.issued(given, len(photos))
            if len(new):
                self._hold(self._with(held, made, new), held.after(new))
            return new

    def update(self, ids: ArrayLike, photos: Sequence[ArrayLike]) -> None:
        """Replace photos that are there, which then count as added last; ValueError names an id that is not."""
        self._require_fitted()
        training, photos = self._training, list(photos)
        wanted = as_ids(ids, "ids", n=len(photos))
        last = last_of(wanted)
        wanted = wanted[last]
        made = self._sealed([photos[at] for at in last])
        with self._lock:
            held = self._trained_still(training, "photos")
            held.located(wanted)
            if len(wanted):
                parts, _ = held.without(wanted)
                self._hold(self._with(replace(held, parts=parts), made, wanted), held.next_id)

    def adopt(self, other: Self) -> None:
        """Take in the photos of another table over the same words, under their ids; ValueError for one that is here."""
        theirs = other._require_fitted()
        new = theirs.ids
        with self._lock:
            held = self._require_fitted()
            held.refuse_known(new)
            if len(new):
                self._hold(self._with(held, self._made_of(theirs), new), held.after(new))

    def ordered(self, ids: ArrayLike) -> Self:
        """The same photos in the order of ``ids``, which holds each once."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            held = self._require_fitted()
            places = held.order_of(wanted)
            if (places != np.arange(len(places))).any():
                self._hold(self._in_order(held, places), held.next_id)
        return self

    @steady
    def scores(self, queries: Sequence[ArrayLike], *, threads: int = 0) -> Vectors:
        """Similarities of queries, each its local descriptors (n_i, d), to all photos: float32 (queries, photos)."""
        ready, threads = self._ready(), as_threads(threads)
        return self._scores(ready, self._asked(ready, queries, threads), threads)

    @steady
    def alike(self, ids: ArrayLike, *, threads: int = 0) -> Vectors:
        """Similarities of some stored photos to all, by what is stored of both: float32 (ids, photos).

        Raises ValueError for an id that is not there.
        """
        wanted, ready = as_ids(ids, "ids"), self._ready()
        known = ready.held.ids
        order = np.argsort(known, kind="stable")
        at = np.minimum(np.searchsorted(known, wanted, sorter=order), max(len(known) - 1, 0))
        places = order[at] if len(known) else at
        there = known[places] == wanted if len(known) else np.zeros(len(wanted), bool)
        if not there.all():
            raise ValueError(f"ids: {wanted[~there][0]} is not in the index")
        return self._scores(ready, self._stored_at(ready, places), as_threads(threads))

    @steady
    def search(
        self,
        queries: ArrayLike | Sequence[ArrayLike],
        k: int = 10,
        *,
        filter: ArrayLike | None = None,
        threads: int = 0,
    ) -> Neighbours:
        """The k most similar photos of each query, ties by ascending id.

        queries : local descriptors (n, d) of one photo, which is answered by (k,); or a list of such arrays
        filter : ids that may answer, or a boolean mask over ``ids``
        threads : 0 for the library's setting
        Returns similarities float32 (n, k) and ids int64 (n, k); where there are fewer than k: -inf and -1.
        """
        k, threads = as_count(k, "k", most=1 << 24), as_threads(threads)
        one = isinstance(queries, np.ndarray) and queries.ndim == 2
        photos: Any = [queries] if one else queries
        ready = self._ready()
        asked = self._asked(ready, photos, threads)
        ids = [part.ids for part in ready.held.parts]
        found = self._best(ready, asked, ids, ready.held.admitted(filter), k, threads)
        return Neighbours(found.distances[0], found.ids[0]) if one else found

    @steady
    def neighbours(self, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar other photos of each stored one, by what is stored of both.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1.
        """
        k, threads = as_count(k, "k", most=1 << 24), as_threads(threads)
        ready = self._ready()
        n, places = len(ready.held), list(_places(ready.held))
        living = ready.held.admitted(None)
        similarities = np.full((n, k), -np.inf, np.float32)
        found = np.full((n, k), -1, np.int64)
        row = 0
        for count, asked in self._stored(ready):
            near = self._best(ready, asked, places, living, min(k + 1, n), threads)
            own = np.arange(row, row + count)
            # A photo that is itself not among the first has others as alike before it.
            others = near.ids != own[:, None]
            others[others.all(axis=1), -1] = False
            have = near.ids.shape[1] - 1
            found[own, :have] = near.ids[others].reshape(count, have)
            similarities[own, :have] = near.distances[others].reshape(count, have)
            row += count
        return Neighbours(similarities, found)

    def _fit_words(self, x: Vectors) -> None:
        """Learn the words, unless they are learnt already."""
        if not hasattr(self.words, "centroids"):
            self.words.fit(x)


def _places(held: Keys[Any]) -> Iterator[Ids]:
    """Of each part, the position of each living row among all."""
    at = 0
    for part in held.parts:
        places = np.full(len(part), -1, np.int64)
        places[part.living_rows()] = at + np.arange(part.living)
        at += part.living
        yield places
