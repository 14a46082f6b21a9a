"""Which photos of an answer show the same thing, and how sure that is: by geometry, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Snapshot
from kinfold.gallery.verdict import Verdict
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import RankedList

# From this probability on, a photo counts as one of the same thing, if geometry confirms that or did not look.
SURE = 0.99
# Photos that speak for another, and pairs that are verified for an answer besides.
_VOICES, _MOST_PAIRS = 3, 60


@dataclass(frozen=True)
class Judged:
    """What is thought of a photo of an answer.

    confidence : the probability that it shows the same thing
    verdict : same thing or only looks alike, as far as features and geometry tell
    through : the id of the photo that confirms it, where the query alone does not
    """

    confidence: float
    verdict: Verdict
    through: int | None = None


def judge(snapshot: Snapshot, ranked: RankedList, ids: Sequence[int]) -> dict[int, Judged]:
    """What is thought of the first photos of an answer, by id.

    ids : of these, which are there
    """
    known = dict(zip(ranked.first_ids.tolist(), ranked.first_scores.tolist()))
    # What a walk reached is no more alike than the last of the first answer.
    least = min(known.values(), default=0.0)
    found = confirmed(snapshot, ranked, ids)
    looked = {id: one.inliers for id, one in ranked.verified.items()}
    inliers = [found[id][0] if id in found else looked.get(id, np.nan) for id in ids]
    sure = snapshot.parts.confidence.of([known.get(id, least) for id in ids], inliers)
    judged = {}
    for id, confidence in zip(ids, sure.tolist()):
        shows = confidence >= SURE and (id in found or id not in looked)
        verdict = Verdict.SAME_THING if shows else Verdict.LOOKS_ALIKE
        judged[id] = Judged(confidence, verdict, found[id][1] if id in found else None)
    return judged


def confirmed(
    snapshot: Snapshot, ranked: RankedList, ids: Sequence[int]
) -> dict[int, tuple[int, int | None]]:
    """Photos that geometry confirms: id -> inliers of the weakest pair on the way, and the photo before it on the way.

    Those that are verified with the query; and of ``ids`` those that are verified with one of these, or with one of
    those, along edges of the gallery's graph.
    """
    found: dict[int, tuple[int, int | None]] = {
        id: (one.inliers, None)
        for id, one in ranked.verified.items()
        if one.inliers >= LEAST_INLIERS
    }
    if not found:
        return found
    beside = _beside(snapshot, {*ids, *found})
    photos = snapshot.by_ids({*ids, *found})
    tried: set[tuple[int, int]] = set()
    fresh = True
    while fresh:
        fresh = False
        for id in ids:
            if id in found or id not in beside:
                continue
            voices = [v for v in beside[id] if v in found and v in photos and (id, v) not in tried]
            voices = sorted(voices, key=lambda v: -found[v][0])[:_VOICES]
            if not voices or len(tried) >= _MOST_PAIRS:
                continue
            tried |= {(id, v) for v in voices}
            weakest = _pairs(snapshot, photos[id], [photos[v] for v in voices])
            ways = [(min(found[v][0], n), v) for v, n in zip(voices, weakest)]
            inliers, through = max(ways)
            if inliers >= LEAST_INLIERS:
                found[id], fresh = (inliers, through), True
    return found


def _beside(snapshot: Snapshot, ids: set[int]) -> dict[int, list[int]]:
    """The neighbours in the graph of each of these photos that are among them."""
    graph, every = snapshot.parts.graph, snapshot.ids
    nodes = np.flatnonzero(np.isin(every, list(ids)))
    beside = {}
    for node in nodes.tolist():
        near = graph.neighbours[graph.starts[node] : graph.starts[node + 1]]
        beside[int(every[node])] = [id for id in every[near].tolist() if id in ids]
    return beside


def _pairs(snapshot: Snapshot, photo: Photo, others: Sequence[Photo]) -> list[int]:
    """The inliers of a photo with each of some others."""
    features = snapshot.segments.features
    ours, theirs = features(photo), [features(other) for other in others]
    return [one.inliers for one in verify_many(ours, theirs, match_many(prepare(ours), theirs))]
