"""Which photos of an answer show the same thing, and how sure that is: by geometry, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfold.gallery.reader import Snapshot
from kinfold.gallery.verdict import Verdict
from kinfold.rerank.confirmed import beside_in, confirm
from kinfold.rerank.spatial import LEAST_INLIERS
from kinfold.rerank.stage import RankedList

# From this probability on, a photo counts as one of the same thing, if geometry confirms that or did not look.
SURE = 0.99


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

    Those that are verified with the query; and of ``ids`` those that are confirmed through others, as of
    ``rerank.confirmed``.
    """
    found: dict[int, tuple[int, int | None]] = {
        id: (one.inliers, None)
        for id, one in ranked.verified.items()
        if one.inliers >= LEAST_INLIERS
    }
    if not found:
        return found
    photos = snapshot.by_ids({*ids, *found, *ranked.through})
    beside = beside_in(snapshot.parts.graph, snapshot.ids, photos)
    told = confirm(ranked, ids, beside, lambda id: snapshot.segments.features(photos[id]))
    return {**told.through, **found}
