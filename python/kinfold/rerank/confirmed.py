"""What geometry confirms first: photos that were verified with the query, and those that were with one of these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from kinfold.base.arrays import Ids, as_count
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Ranking
from kinfold.graph.knn import KNNGraph
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import Asked, Ranked, RankedList

# Photos that speak for another, and pairs that are verified for an answer besides.
VOICES, PAIRS = 3, 60


def confirm(
    ranked: RankedList,
    ids: Sequence[int],
    beside: Mapping[int, Sequence[int]],
    features: Callable[[int], LocalFeatures],
    *,
    voices: int = VOICES,
    pairs: int = PAIRS,
    least: int = LEAST_INLIERS,
) -> RankedList:
    """The same ranking with what geometry confirms of some photos through others: ``through``, and ``tried``.

    Those count that were verified with the query, then those of ``ids`` that are verified with one of these, or with
    one of those, along edges of a graph. Of a way the weakest pair counts. What was tried before is known.

    beside : the neighbours of each in the graph, of those whose features are there
    voices : of these, those with most inliers speak for a photo; pairs : of features that are looked at for an answer
    """
    through, tried = dict(ranked.through), set(ranked.tried)
    direct = {id: one.inliers for id, one in ranked.verified.items() if one.inliers >= least}
    found = {**{id: inliers for id, (inliers, _) in through.items()}, **direct}
    fresh = bool(found)
    while fresh:
        fresh = False
        for id in ids:
            if id in found or len(tried) >= pairs:
                continue
            able = [v for v in beside.get(id, ()) if v in found and (id, v) not in tried]
            able = sorted(able, key=lambda v: -found[v])[:voices]
            if not able:
                continue
            tried |= {(id, v) for v in able}
            ours, theirs = features(id), [features(v) for v in able]
            seen = verify_many(ours, theirs, match_many(prepare(ours), theirs))
            inliers, voice = max((min(found[v], one.inliers), v) for v, one in zip(able, seen))
            if inliers >= least:
                found[id], through[id], fresh = inliers, (inliers, voice), True
    return replace(ranked, through=through, tried=frozenset(tried))


def beside_in(graph: KNNGraph, every: Ids, ids: Collection[int]) -> dict[int, list[int]]:
    """The neighbours in a graph of each of some photos that are among them.

    every : what the nodes are called
    """
    chosen, found = set(ids), {}
    for node in np.flatnonzero(np.isin(every, list(chosen))).tolist():
        near = graph.neighbours[graph.starts[node] : graph.starts[node + 1]]
        found[int(every[node])] = [id for id in every[near].tolist() if id in chosen]
    return found


class ConfirmedStage:
    """Photos that geometry confirms first, those through others behind those that it confirms directly.

    What an earlier stage verified is where it begins: without one, nothing is changed.

    top : so many of the ranking are asked
    voices, pairs, least_inliers : as of ``confirm``
    """

    needs: ClassVar = frozenset({"features", "graph"})

    def __init__(
        self,
        *,
        top: int = 100,
        voices: int = VOICES,
        pairs: int = PAIRS,
        least_inliers: int = LEAST_INLIERS,
    ) -> None:
        self._top, self._voices = as_count(top, "top"), as_count(voices, "voices")
        self._pairs = as_count(pairs, "pairs")
        self._least = as_count(least_inliers, "least_inliers", least=1)

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranked:
        lists = Ranked.of(ranking).lists
        return Ranked.joined([self._confirmed(asked, one) for one in lists])

    def _confirmed(self, asked: Asked, ranked: RankedList) -> RankedList:
        graph: KNNGraph = asked.need("graph")
        every = np.arange(len(graph)) if asked.ids is None else asked.ids
        ids = ranked.ids.tolist()
        beside = beside_in(graph, every, ids)
        ranked = confirm(
            ranked, ids[: self._top], beside, asked.need("features"),
            voices=self._voices, pairs=self._pairs, least=self._least,
        )  # fmt: skip
        direct = ranked.inliers(ranked.ids) >= self._least
        weakest = np.array([ranked.through.get(id, (0, 0))[0] for id in ids], np.int64)
        by_others = np.flatnonzero(~direct & (weakest > 0))
        by_others = by_others[np.argsort(-weakest[by_others], kind="stable")]
        rest = np.flatnonzero(~direct & (weakest == 0))
        rows = np.concatenate([np.flatnonzero(direct), by_others, rest])
        # Between those above and those below: nobody's score is changed but theirs.
        least = float(ranked.scores[direct].min(initial=np.inf))
        most = float(ranked.scores[rest].max(initial=-np.inf))
        scores = ranked.scores.copy()
        if len(by_others) and np.isfinite(least):
            floor = most if np.isfinite(most) else least - 1
            steps = np.arange(len(by_others), 0, -1) / (len(by_others) + 1)
            scores[by_others] = min(floor, least) + max(least - floor, 0.0) * steps
        return replace(ranked, ids=ranked.ids[rows], scores=scores[rows])
