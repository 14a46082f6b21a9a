"""What every second look is: a ranking, and what is at hand to look at it again, to a better ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours, Ranking
from kinfold.graph.knn import KNNGraph
from kinfold.local.verify import Verification

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RankedList:
    """The ranking of one query, and what stages have found out so far.

    scores : float32 (k,)    falling: similarities, or whatever the last stage ranks by
    ids : int64 (k,)         best first
    first_scores, first_ids  the nearest in descriptor space, as the index gave them
    verified                 by id, of the photos whose geometry was looked at
    sources                  ids from which a diffusion started
    through                  by id, of photos that geometry confirms through others: the inliers of the weakest pair on
                             the way, and the photo before
    tried                    pairs that were looked at for that
    """

    scores: Vectors
    ids: Ids
    first_scores: Vectors
    first_ids: Ids
    verified: Mapping[int, Verification] = field(default_factory=dict)
    sources: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    through: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    tried: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def first(cls, scores: Vectors, ids: Ids) -> RankedList:
        """The answer of an index; -1 at the end of the ids is dropped."""
        kept = ids >= 0
        return cls(scores[kept], ids[kept], scores[kept], ids[kept])

    def inliers(self, ids: Ids) -> Ids:
        """How many inliers each photo has; 0 where none was looked for."""
        found = self.verified
        return np.array([found[i].inliers if i in found else 0 for i in ids.tolist()], np.int64)


@dataclass(frozen=True)
class Ranked(Ranking):
    """The rankings of several queries, with what stages have found out of each."""

    lists: tuple[RankedList, ...] = ()

    @classmethod
    def of(cls, ranking: Ranking) -> Ranked:
        """A ranking as stages take it: the answer of an index, where no stage has seen it yet."""
        if isinstance(ranking, cls):
            return ranking
        rows = zip(ranking.scores, ranking.ids)
        lists = tuple(RankedList.first(scores, ids) for scores, ids in rows)
        return cls(scores=ranking.scores, ids=ranking.ids, lists=lists)

    @classmethod
    def joined(cls, lists: Sequence[RankedList]) -> Ranked:
        """Lists of any length, one a query."""
        longest = max((len(one.ids) for one in lists), default=0)
        ids = np.full((len(lists), longest), -1, np.int64)
        scores = np.full((len(lists), longest), -np.inf, np.float32)
        for row, one in enumerate(lists):
            ids[row, : len(one.ids)], scores[row, : len(one.ids)] = one.ids, one.scores
        return cls(scores=scores, ids=ids, lists=tuple(lists))

    def again(self, scores: Vectors, ids: Ids) -> Ranked:
        """Another order (q, k); what was found out stays."""
        rows = zip(self.lists, scores, ids)
        lists = tuple(replace(one, ids=i[i >= 0], scores=s[i >= 0]) for one, s, i in rows)
        return Ranked(scores=scores, ids=ids, lists=lists)


@dataclass(frozen=True)
class Asked:
    """The queries of a ranking, and what is at hand to look at it again; None for what is not.

    queries : float32 (q, d)
    base : float32 (n, d)    the vectors that were searched; row i is of ids[i]
    graph : KNNGraph         of the same; node i is of ids[i]
    ids : int64 (n,)         what rows and nodes are called; not given, by their numbers
    local : LocalFeatures of each query
    regions : x0, y0, x1, y1 in each query: what lies outside was not asked for
    features : the local features of a photo by its id
    search : number of a query, local features in the place of its own -> similarities and ids of all, best first
    regional : the descriptors of each query's regions, float32 (r, d) of length one
    regional_of : the same of a photo by its id
    """

    queries: Vectors | None = None
    base: Vectors | None = None
    graph: KNNGraph | None = None
    ids: Ids | None = None
    local: Sequence[LocalFeatures] | None = None
    regions: Sequence[Box | None] | None = None
    features: Callable[[int], LocalFeatures] | None = None
    search: Callable[[int, LocalFeatures], Neighbours] | None = None
    regional: Sequence[Vectors] | None = None
    regional_of: Callable[[int], Vectors] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """The names of what is at hand."""
        return frozenset(one.name for one in fields(self) if getattr(self, one.name) is not None)

    def need(self, name: str) -> Any:
        """What is at hand under a name. Raises ValueError where it is not."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"asked: expected {name}, got none")
        return value

    def rows(self, ids: Ids) -> Ids:
        """The row or node of each id; -1 for -1. Raises ValueError for unknown ids."""
        if self.ids is None:
            return ids
        rows = np.array([self._row.get(i, -2) for i in ids.ravel().tolist()], np.int64)
        if (rows == -2).any():
            unknown = ids.ravel()[np.argmax(rows == -2)]
            raise ValueError(f"ids: expected those that were searched, got {unknown}")
        return rows.reshape(ids.shape)

    def named(self, rows: Ids) -> Ids:
        """The id of each row or node; -1 for -1."""
        return rows if self.ids is None else np.where(rows >= 0, self.ids[rows], -1)

    @cached_property
    def _row(self) -> dict[int, int]:
        assert self.ids is not None
        return {-1: -1, **{id: row for row, id in enumerate(self.ids.tolist())}}


class Stage(Protocol):
    """A second look."""

    @property
    def needs(self) -> frozenset[str]:
        """The names of what ``Asked`` must offer."""
        ...

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranking:
        """The better ranking."""
        ...


def again(ranking: Ranking, better: Ranking) -> Ranking:
    """The better ranking, with what earlier stages found out."""
    return ranking.again(better.scores, better.ids) if isinstance(ranking, Ranked) else better


def first_answer(scores: Any, ids: Any, queries: int, n: int) -> tuple[Vectors, Ids]:
    """The first answer of some queries over n vectors, checked.

    Returns scores float32 (q, m) and ids int64 (q, m), -1 past the end.
    """
    lists, values = as_array(ids, "ids"), as_array(scores, "scores")
    if lists.ndim != 2 or len(lists) != queries or lists.dtype.kind not in "iu":
        raise ValueError(
            f"ids: expected ids ({queries}, m), got {lists.dtype} of shape {lists.shape}"
        )
    if values.shape != lists.shape:
        raise ValueError(f"scores: expected the shape of ids {lists.shape}, got {values.shape}")
    if lists.size and (lists.max() >= n or lists.min() < -1):
        bad = lists.max() if lists.max() >= n else lists.min()
        raise ValueError(f"ids: expected rows of base, 0 to {n - 1} or -1, got {bad}")
    if np.isnan(values[lists >= 0]).any():
        raise ValueError("scores: expected numbers, got NaN")
    return values.astype(np.float32), lists.astype(np.int64)
