"""Second looks at the regions of photos: each first photo scored anew by all of its regions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_number, as_vectors
from kinfold.base.ranking import Ranking
from kinfold.index.regional import MATCHES, cross_match
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import Asked, Ranked, RankedList


class RegionalStage(ABC):
    """The first photos of a ranking by what their regions tell, the others behind them as they were.

    Photos that were verified stay first.

    top : so many photos are looked at
    blend : so many times the similarity of the first answer is added; 0: the regions alone decide
    """

    needs: ClassVar = frozenset({"regional", "regional_of"})

    def __init__(self, *, top: int = 100, blend: float = 0.0) -> None:
        self._top = as_count(top, "top")
        self._blend = as_number(blend, "blend", least=0, most=1e6)

    @abstractmethod
    def scores(self, query: Vectors, regions: Vectors, starts: Ids) -> Vectors:
        """Of each photo, float32 (n,), from the query's regions (q, d) and the photos' (r, d).

        starts : int64 (n + 1,)    photo i has the rows starts[i] to starts[i + 1]
        """

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranked:
        lists = Ranked.of(ranking).lists
        return Ranked.joined([self._scored(asked, i, one) for i, one in enumerate(lists)])

    def _scored(self, asked: Asked, number: int, ranked: RankedList) -> RankedList:
        inliers = ranked.inliers(ranked.ids)
        sure = np.flatnonzero(inliers >= LEAST_INLIERS)
        looked = np.setdiff1d(np.arange(len(ranked.ids)), sure)[: self._top]
        query = as_vectors(asked.need("regional")[number], "regional")
        if not len(looked) or not len(query):
            return ranked
        parts = [asked.need("regional_of")(int(i)) for i in ranked.ids[looked]]
        starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        scores = self.scores(query, np.concatenate(parts), starts).astype(np.float32)
        if self._blend:
            first = dict(zip(ranked.first_ids.tolist(), ranked.first_scores.tolist()))
            least = float(ranked.first_scores.min(initial=0))
            similar = [first.get(i, least) for i in ranked.ids[looked].tolist()]
            scores += np.float32(self._blend) * np.array(similar, np.float32)
        order = np.argsort(-scores, kind="stable")
        rest = np.setdiff1d(np.arange(len(ranked.ids)), np.concatenate([sure, looked]))
        rows = np.concatenate([sure, looked[order], rest])
        # Above, the inliers come on top; below, nobody is above the last that was looked at.
        above = scores.max() + inliers[sure].astype(np.float32)
        below = np.minimum(ranked.scores[rest], scores.min())
        return replace(
            ranked, ids=ranked.ids[rows], scores=np.concatenate([above, scores[order], below])
        )


class RegionsStage(RegionalStage):
    """By regions: of each of the query's the best match in the photo, and their mean.

    match : "mean", or "best": the best pair of regions alone
    top, blend : as of ``RegionalStage``
    Razavian, Sullivan, Carlsson & Maki 2014, section 3.
    """

    def __init__(self, *, match: str = "mean", top: int = 100, blend: float = 0.0) -> None:
        super().__init__(top=top, blend=blend)
        self._match = as_choice(match, "match", MATCHES)

    def scores(self, query: Vectors, regions: Vectors, starts: Ids) -> Vectors:
        return cross_match(query, regions, starts, match=self._match)
