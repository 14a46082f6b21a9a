"""Second looks along the graph of the collection: diffusion and the random walk, alone or added to the similarity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.ranking import Ranking
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.flow import Flow
from kinfold.graph.random_walk import RandomWalk
from kinfold.rerank.diffusion import flow_rerank
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.spatial_expansion import SURE_INLIERS
from kinfold.rerank.stage import Asked, Ranked, RankedList, again

# Sources at most where photos are sure.
_MOST_SURE = 10
_SURE_SIMILARITY = 0.5


class _FlowStage:
    """From the first ``k_query`` answers of each query along the graph.

    k_query : sources, where no photo is sure
    k : length of the answer; that of the first answer if not given. A blend has all that it reaches
    blend : add what flows to the similarity of the first answer, from the verified photos where some are sure.
        Otherwise what the flow reaches comes first, by that alone
    options : of the flow: alpha, iterations, tolerance
    """

    needs: ClassVar = frozenset({"graph"})
    flow: ClassVar[type[Flow]]

    def __init__(
        self, *, k_query: int = 10, k: int | None = None, blend: bool = False, **options: Any
    ) -> None:
        self._k_query = as_count(k_query, "k_query")
        self._k, self._blend, self._options = k, blend, options

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranking:
        flow = self.flow(asked.need("graph"), **self._options)
        if self._blend:
            return Ranked.joined([self._blended(flow, asked, r) for r in Ranked.of(ranking).lists])
        rows = asked.rows(ranking.ids)
        better = flow_rerank(flow, ranking.scores, rows, k_query=self._k_query, k=self._k)
        return again(ranking, Ranking(scores=better.scores, ids=asked.named(better.ids)))

    def _blended(self, flow: Flow, asked: Asked, ranked: RankedList) -> RankedList:
        """The list of one query by its similarity and what flows.

        Where photos were verified surely, these are the sources: the nearest in descriptor space may be
        of other things, from which diffusion would find more of the same. Verified photos stay first. A
        photo's score is its similarity to the query plus its share of the largest diffused score, times the
        similarity of the source: diffusion alone ranks what is near to a wrong source above what is near to
        the query, which costs most where few photos show the same thing, and a source that is hardly like the
        query tells little.
        """
        if not len(ranked.ids):
            return ranked
        sources, weights = self._sources(ranked)
        diffused = flow.scores(similarities=weights, ids=asked.rows(sources))
        diffused = diffused.astype(np.float64)
        largest = diffused.max(initial=0)
        # What the first answer left out is at most as similar as its last.
        scores = np.full(len(diffused), float(ranked.first_scores.min()))
        scores[asked.rows(ranked.first_ids)] = ranked.first_scores
        if largest > 0:
            scores += float(weights.max(initial=0)) * np.maximum(diffused, 0) / largest
        rows = asked.rows(ranked.ids)
        kept = diffused > 0
        kept[rows] = True
        inliers = ranked.inliers(ranked.ids)
        passed = inliers >= LEAST_INLIERS
        first = rows[passed]
        # Above all others, by their inliers, and in the order in which they were.
        scores[first] = scores.max() + inliers[passed]
        kept[first] = False
        others = np.lexsort((np.arange(len(scores)), -scores))
        order = np.concatenate([first, others[kept[others]]])
        return replace(
            ranked,
            ids=asked.named(order),
            scores=scores[order].astype(np.float32),
            sources=sources,
        )

    def _sources(self, ranked: RankedList) -> tuple[Ids, Vectors]:
        sure = [i for i, v in ranked.verified.items() if v.inliers >= SURE_INLIERS][:_MOST_SURE]
        if not sure:
            return ranked.first_ids[: self._k_query], ranked.first_scores[: self._k_query]
        similarity = dict(zip(ranked.first_ids.tolist(), ranked.first_scores.tolist()))
        # A verified photo is kin whatever its descriptor says.
        weights = [max(similarity.get(i, 0.0), _SURE_SIMILARITY) for i in sure]
        return np.array(sure, np.int64), np.array(weights, np.float32)


class DiffusionStage(_FlowStage):
    """What is near along the graph of neighbours.

    Options as of ``rerank.diffusion_rerank``. Iscen et al., CVPR 2017.
    """

    flow = Diffusion


class LectureDiffusionStage(_FlowStage):
    """By what diffuses to each alone, from the nearest of the query, whatever was verified.

    What diffusion does not reach follows in its order, with score 0; scores are relative to the largest.
    Options as of ``rerank.diffusion_rerank``. Iscen et al., CVPR 2017.
    """

    flow = Diffusion

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranking:
        """The ranking by diffusion alone."""
        flow = self.flow(asked.need("graph"), **self._options)
        return Ranked.joined([self._alone(flow, asked, r) for r in Ranked.of(ranking).lists])

    def _alone(self, flow: Flow, asked: Asked, ranked: RankedList) -> RankedList:
        if not len(ranked.ids):
            return ranked
        sources, weights = ranked.first_ids[: self._k_query], ranked.first_scores[: self._k_query]
        diffused = np.maximum(flow.scores(similarities=weights, ids=asked.rows(sources)), 0)
        rows = asked.rows(ranked.ids)
        near = np.argsort(-diffused, kind="stable")[: np.count_nonzero(diffused)]
        order = np.concatenate([near, rows[diffused[rows] == 0]])[: self._k]
        scores = diffused[order] / max(float(diffused.max(initial=0)), 1e-30)
        return replace(
            ranked, ids=asked.named(order), scores=scores.astype(np.float32), sources=sources
        )


class RandomWalkStage(_FlowStage):
    """The same, step by step: a random walk with restart."""

    flow = RandomWalk
