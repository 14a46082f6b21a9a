"""Examples given to a query, photos that are more or less like what was meant, and the ranking that they make of it.

Similarities: Rocchio's formula ("Relevance feedback in information retrieval", 1971), in which the query moves towards
the mean of the positive examples and away from the mean of the negative ones. Similarities are sums over parts of both
photos, so the moved query's are ALPHA times the query's own, plus BETA times the mean of the positive examples', minus
GAMMA times that of the negative ones': no moved query has to be made.

Geometry: a photo is confirmed by the query or by a positive example, whichever has more inliers with it; one that has
more with a negative example shows what was not meant. Examples themselves stand first and last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.ranking import Neighbours
from kinfold.gallery.hit import Hit
from kinfold.gallery.query import Query
from kinfold.gallery.reader import Snapshot
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import RankedList

# What is near a negative example by looks is as often what was meant: measured, see benchmarks/gallery/feedback.py.
ALPHA, BETA, GAMMA = 1.0, 1.5, 0.0


@dataclass(frozen=True)
class Feedback:
    """Photos of the gallery that were given as examples.

    like, unlike : ids; no photo is both
    """

    like: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()

    @classmethod
    def of(cls, like: Any, unlike: Any, snapshot: Snapshot) -> Feedback:
        """Of ids or hits, one or several. Raises ValueError for a photo that is not in the index, or is both."""
        both = [_ids(given, name) for given, name in ((like, "like"), (unlike, "unlike"))]
        there = set(snapshot.ids.tolist()) if any(both) else set()
        there &= snapshot.by_ids({*both[0], *both[1]}).keys()
        for ids, name in zip(both, ("like", "unlike")):
            for id in ids:
                if id not in there:
                    raise ValueError(f"{name}: expected photos of the gallery, got {id}")
        if twice := set(both[0]) & set(both[1]):
            raise ValueError(f"unlike: expected other photos than like, got {min(twice)} in both")
        return cls(*both)

    def __bool__(self) -> bool:
        return bool(self.like or self.unlike)


def _ids(given: Any, name: str) -> tuple[int, ...]:
    several = (
        given
        if isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
        else [given]
    )
    ids = [one.id if isinstance(one, Hit) else one for one in several]
    if not all(isinstance(id, (int, np.integer)) and not isinstance(id, bool) for id in ids):
        raise ValueError(f"{name}: expected ids or hits, got {given!r:.80}")
    return tuple(dict.fromkeys(int(id) for id in ids))


def example(snapshot: Snapshot, id: int) -> Query:
    """A photo of the gallery as a query, from what is stored of it: its file is not read."""
    [photo] = snapshot.by_ids([id]).values()
    fused, size = snapshot.parts.fused, (photo.width or 1, photo.height or 1)
    vector = None if fused.index is None else fused.index.reconstruct(np.array([id]))[0]
    regions = {} if fused.model.looks_at_regions is None else {0: snapshot.segments.regions(photo)}
    return Query(
        photo.path, np.zeros((1, 1, 3), np.uint8), size, None, snapshot.segments.features(photo), np.eye(3),
        vector, seen=True, regions=regions,
    )  # fmt: skip


def moved(
    snapshot: Snapshot, first: Neighbours, feedback: Feedback, depth: int, *searched: Any
) -> Neighbours:
    """The first answer of the query that the examples move: by the similarities of query and examples.

    searched : further arguments of ``Fused.search``
    A photo that is not among the ``depth`` best of one counts as its last.
    """
    weights = [ALPHA]
    answers = [first]
    for examples, weight in ((feedback.like, BETA), (feedback.unlike, -GAMMA)):
        for id in examples:
            answers.append(snapshot.parts.fused.search(example(snapshot, id), depth, *searched))
            weights.append(weight / len(examples))
    # What a negative example alone proposes is none of the answer.
    proposed = [a.ids for a, weight in zip(answers, weights) if weight > 0]
    ids: Ids = np.unique(np.concatenate(proposed))
    ids = ids[ids >= 0]
    total = np.zeros(len(ids), np.float64)
    for answer, weight in zip(answers, weights):
        known = answer.ids >= 0
        least = float(answer.distances[known].min(initial=np.inf))
        similarities = np.full(len(ids), 0.0 if np.isinf(least) else least)
        at = np.searchsorted(ids, answer.ids[known]).clip(max=max(len(ids) - 1, 0))
        there = ids[at] == answer.ids[known] if len(ids) else np.zeros(0, bool)
        similarities[at[there]] = answer.distances[known][there]
        total += weight * similarities
    order = np.lexsort((ids, -total))[:depth]
    return Neighbours(total[order].astype(np.float32), ids[order])


def settled(
    snapshot: Snapshot, ranked: RankedList, feedback: Feedback, top: int, *, verify: bool
) -> RankedList:
    """A ranking in the order that the examples give it: examples first and last, and what they confirm next to them.

    top : photos that are verified with each example
    verify : whether geometry is asked at all
    """
    ids = ranked.ids
    missing = np.array([id for id in feedback.like if id not in ids], np.int64)
    ids = np.concatenate([missing, ids])
    own = np.array([_inliers_of(ranked, id) for id in ids.tolist()], np.int64)
    support, against = own, np.zeros_like(own)
    if verify:
        short = ids[:top]
        support = np.maximum(own, _most(snapshot, feedback.like, short, len(ids)))
        against = _most(snapshot, feedback.unlike, short, len(ids))
    # Examples of what is meant; confirmed; as they were; confirmed as what is not meant; examples of that.
    tier = np.full(len(ids), 2)
    tier[support >= LEAST_INLIERS] = 1
    tier[(against >= LEAST_INLIERS) & (against > support)] = 3
    tier[np.isin(ids, feedback.like)] = 0
    tier[np.isin(ids, feedback.unlike)] = 4
    # Where no example confirms more than the query does, the second looks' order stays.
    strength = np.where(tier == 1, support, 0) if feedback.like else np.zeros(len(ids))
    order = np.lexsort((np.arange(len(ids)), -strength, tier))
    return replace(ranked, ids=ids[order], scores=_falling(ranked, ids, support, tier, order))


def _falling(ranked: RankedList, ids: Ids, support: Ids, tier: Ids, order: Ids) -> Vectors:
    """Scores that fall along the new order: those of the second looks, as far as these agree with it."""
    known = dict(zip(ranked.ids.tolist(), ranked.scores.tolist()))
    best, worst = max(known.values(), default=0.0), min(known.values(), default=0.0)
    scores = np.array([known.get(id, best) for id in ids.tolist()], np.float64)
    scores = np.where(tier == 1, np.maximum(scores, support), np.where(tier > 2, worst, scores))
    return np.maximum.accumulate(scores[order][::-1])[::-1].astype(np.float32)


def _inliers_of(ranked: RankedList, id: int) -> int:
    return ranked.verified[id].inliers if id in ranked.verified else 0


def _most(snapshot: Snapshot, examples: Sequence[int], short: Ids, count: int) -> Ids:
    """The most inliers that each of the first photos has with one of the examples, int64 (count,); 0 for the rest."""
    most = np.zeros(count, np.int64)
    if not examples or not len(short):
        return most
    photos = snapshot.by_ids({*short.tolist(), *examples})
    there = [at for at, id in enumerate(short.tolist()) if id in photos]
    others = [snapshot.segments.features(photos[int(short[at])]) for at in there]
    for id in examples:
        ours = snapshot.segments.features(photos[id])
        pairs = match_many(prepare(ours), others)
        inliers = [found.inliers for found in verify_many(ours, others, pairs)]
        most[there] = np.maximum(most[there], inliers)
    return most
