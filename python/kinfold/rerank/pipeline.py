"""Second looks one after the other: every stage takes an answer and returns a better one, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count
from kinfold.base.local_features import LocalFeatures
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.local.verify import Verification
from kinfold.rerank.spatial import spatial_rerank
from kinfold.rerank.spatial_expansion import expand_features

# Fewer inliers prove nothing.
LEAST_INLIERS = 6
# From so many inliers on, a photo may speak for others.
SURE_INLIERS = 8
# Sources at most where photos are sure.
_MOST_SURE = 10
EXPANSIONS = ("transformed", "average", "recursive")
# Searches of a recursive expansion, and photos that lend their features to it, at most.
_ROUNDS = 5
_MOST_RECURSIVE = 30
_SURE_SIMILARITY = 0.5


@dataclass(frozen=True)
class Answer:
    """What is known of one query so far.

    ids : int64 (k,)         ranked, best first
    scores : float32 (k,)    falling: similarities, or whatever the last stage ranks by
    first_ids, first_scores  the nearest in descriptor space, as the index gave them
    verified                 by id, of the photos whose geometry was looked at
    sources                  ids from which a diffusion started
    """

    ids: Ids
    scores: Vectors
    first_ids: Ids
    first_scores: Vectors
    verified: Mapping[int, Verification] = field(default_factory=dict)
    sources: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def first(cls, ids: Ids, scores: Vectors) -> Answer:
        """The answer of an index; -1 at the end of the ids is dropped."""
        kept = ids >= 0
        return cls(ids[kept], scores[kept], ids[kept], scores[kept])


class Stage(Protocol):
    """A second look at an answer."""

    def __call__(self, query: LocalFeatures, answer: Answer) -> Answer:
        """The better answer."""
        ...


class Spatial:
    """Verified photos first, by their inliers; the score of the others stays.

    get_features : local features of a photo by id
    top : how many of the answer are verified
    seconds : start no further photos after this time; None for all of ``top``
    least_inliers : fewer prove nothing
    """

    def __init__(
        self,
        get_features: Callable[[int], LocalFeatures],
        *,
        top: int = 100,
        seconds: float | None = None,
        least_inliers: int = LEAST_INLIERS,
    ) -> None:
        self._get_features = get_features
        self._top = as_count(top, "top")
        self._seconds = seconds
        self._least = as_count(least_inliers, "least_inliers", least=1)

    def __call__(self, query: LocalFeatures, answer: Answer) -> Answer:
        # What an earlier stage verified is known.
        fresh = np.array([i for i in answer.ids[: self._top] if int(i) not in answer.verified], int)
        order, found = spatial_rerank(
            query, fresh, self._get_features, top=self._top, seconds=self._seconds
        )
        new = {int(i): v for i, v in zip(order, found) if v is not None}
        verified = {**answer.verified, **new}
        # Behind the verified ones scores go on as they were; the inliers come on top of the largest.
        best = float(answer.scores.max(initial=0))
        inliers = np.array(
            [verified[i].inliers if i in verified else 0 for i in answer.ids.tolist()]
        )
        passed = np.flatnonzero(inliers >= self._least)
        first = passed[np.argsort(-inliers[passed], kind="stable")]
        rows = np.concatenate([first, np.setdiff1d(np.arange(len(answer.ids)), first)])
        scores = np.where(inliers >= self._least, best + inliers, answer.scores)
        return replace(
            answer, ids=answer.ids[rows], scores=scores[rows].astype(np.float32), verified=verified
        )


class Expansion:
    """A second search, with all that surely verified photos show of what was asked for; then verification again.

    search : local features -> ids and similarities of all photos, best first
    spatial : verifies; before the search, where no stage did, and what the search brings up
    region : x0, y0, x1, y1 of the query; what lies outside is not what was asked for
    kind : "transformed": features that fall into the region, brought back by the verified map; "average": all
        features of the verified photos; "recursive": transformed, again and again while more photos are verified
    most : photos that lend their features; 10 if not given, 30 for "recursive"
    Chum, Philbin, Sivic, Isard & Zisserman, ICCV 2007, section 4.
    """

    def __init__(
        self,
        search: Callable[[LocalFeatures], tuple[Ids, Vectors]],
        spatial: Spatial,
        get_features: Callable[[int], LocalFeatures],
        *,
        region: tuple[float, float, float, float] | None = None,
        kind: str = "transformed",
        most: int | None = None,
    ) -> None:
        self._search, self._spatial, self._get_features = search, spatial, get_features
        self._region = region
        self._kind = as_choice(kind, "kind", EXPANSIONS)
        recursive = kind == "recursive"
        usual = _MOST_RECURSIVE if recursive else _MOST_SURE
        self._most = usual if most is None else as_count(most, "most")
        self._rounds = _ROUNDS if recursive else 1

    def __call__(self, query: LocalFeatures, answer: Answer) -> Answer:
        if not answer.verified:
            answer = self._spatial(query, answer)
        lent: set[int] = set()
        for _ in range(self._rounds):
            sure = [i for i in answer.ids.tolist() if _inliers(answer, i) >= SURE_INLIERS]
            sure = sure[: self._most]
            if lent.issuperset(sure):
                break
            lent.update(sure)
            expanded = expand_features(
                query,
                [self._get_features(i) for i in sure],
                [answer.verified[i] for i in sure],
                region=self._region,
                whole=self._kind == "average",
            )
            ids, scores = self._search(expanded)
            answer = self._spatial(query, replace(answer, ids=ids, scores=scores))
        return answer


def _inliers(answer: Answer, id: int) -> int:
    return answer.verified[id].inliers if id in answer.verified else 0


class Manifold:
    """Diffusion on the graph of the collection, added to the similarity of the first answer.

    Where photos were verified surely, these are the sources: the nearest in descriptor space may be
    of other things, from which diffusion would find more of the same. Verified photos stay first. A
    photo's score is its similarity to the query plus its share of the largest diffused score, times the
    similarity of the source: diffusion alone ranks what is near to a wrong source above what is near to
    the query, which costs most where few photos show the same thing, and a source that is hardly like the
    query tells little.

    graph : its node i is the photo ids[i]
    k_query : sources where no photo is sure
    """

    def __init__(self, graph: KNNGraph, ids: Ids, *, k_query: int = 1, alpha: float = 0.9) -> None:
        self._diffusion = Diffusion(graph, alpha=alpha)
        self._ids = ids
        self._node = {int(i): node for node, i in enumerate(ids)}
        self._k_query = as_count(k_query, "k_query")

    def __call__(self, query: LocalFeatures, answer: Answer) -> Answer:
        if not len(answer.ids):
            return answer
        sources, weights = self._sources(answer)
        diffused = self._diffusion.scores(self._nodes(sources), weights).astype(np.float64)
        largest = diffused.max(initial=0)
        reached = diffused > 0
        # What the first answer left out is at most as similar as its last.
        scores = np.full(len(diffused), float(answer.first_scores.min()))
        scores[self._nodes(answer.first_ids)] = answer.first_scores
        if largest > 0:
            scores += float(weights.max(initial=0)) * np.maximum(diffused, 0) / largest
        known = self._nodes(answer.ids)
        kept = reached.copy()
        kept[known] = True
        passed = np.array([_inliers(answer, i) >= LEAST_INLIERS for i in answer.ids.tolist()])
        first = known[passed]
        # Above all others, by their inliers, and in the order in which they were.
        inliers = [_inliers(answer, i) for i in answer.ids[passed].tolist()]
        scores[first] = scores.max() + np.array(inliers, np.int64)
        kept[first] = False
        others = np.lexsort((np.arange(len(scores)), -scores))
        order = np.concatenate([first, others[kept[others]]])
        return replace(
            answer, ids=self._ids[order], scores=scores[order].astype(np.float32), sources=sources
        )

    def _sources(self, answer: Answer) -> tuple[Ids, Vectors]:
        sure = [i for i, v in answer.verified.items() if v.inliers >= SURE_INLIERS][:_MOST_SURE]
        if not sure:
            return answer.first_ids[: self._k_query], answer.first_scores[: self._k_query]
        similarity = dict(zip(answer.first_ids.tolist(), answer.first_scores.tolist()))
        # A verified photo is kin whatever its descriptor says.
        weights = [max(similarity.get(i, 0.0), _SURE_SIMILARITY) for i in sure]
        return np.array(sure, np.int64), np.array(weights, np.float32)

    def _nodes(self, ids: Ids) -> Ids:
        return np.array([self._node[i] for i in ids.tolist()], np.int64)
