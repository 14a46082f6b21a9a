"""Query expansion with the verified region: features of verified photos, brought back into the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from kinfold.base.arrays import as_choice, as_count
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Ranking
from kinfold.local.verify import Verification, project
from kinfold.rerank.spatial import LEAST_INLIERS, SpatialStage
from kinfold.rerank.stage import Asked, Ranked, RankedList

# From so many inliers on, a photo may speak for others.
SURE_INLIERS = 8
KINDS = ("transformed", "average", "recursive")
# Photos that lend their features at most, and searches.
_MOST = {"transformed": 10, "average": 10, "recursive": 30}
_ROUNDS = {"transformed": 1, "average": 1, "recursive": 5}


def expand_features(
    query: LocalFeatures,
    photos: Sequence[LocalFeatures],
    verified: Sequence[Verification],
    *,
    region: tuple[float, float, float, float] | None = None,
    whole: bool = False,
) -> LocalFeatures:
    """The query's features and those of verified photos that fall into its region, in the query's pixels.

    Searching with them is transformed average query expansion: an engine that aggregates descriptors averages them.

    photos, verified : photos with maps from the query to them; those without inliers are left out
    region : x0, y0, x1, y1 in the query; the bounding box of its features if not given
    whole : all of the photos' features, wherever they fall: average query expansion
    Chum, Philbin, Sivic, Isard and Zisserman, ICCV 2007, section 4.3.
    """
    if len(photos) != len(verified):
        raise ValueError(
            f"verified: expected one for each of {len(photos)} photos, got {len(verified)}"
        )
    if not len(query):
        return query
    if region is None:
        low, high = query.positions.min(axis=0), query.positions.max(axis=0)
    else:
        low, high = np.array(region[:2]), np.array(region[2:])
    parts = [query]
    for photo, found in zip(photos, verified):
        if not found.inliers:
            continue
        back = np.linalg.inv(found.matrix)
        back /= back[2, 2]
        positions = project(photo.positions, back)
        inside = ((positions >= low) & (positions <= high)).all(axis=1)
        rows = np.flatnonzero(inside | (whole & np.isfinite(positions).all(axis=1)))
        # Length and direction change as the map does at its middle; a search by words asks for neither.
        scale = np.sqrt(np.abs(np.linalg.det(back[:2, :2])))
        turn = np.arctan2(back[1, 0] - back[0, 1], back[0, 0] + back[1, 1])
        chosen = photo.select(rows)
        parts.append(
            replace(
                chosen,
                positions=positions[rows].astype(np.float32),
                scales=(chosen.scales * scale).astype(np.float32),
                angles=(chosen.angles + turn).astype(np.float32),
                shapes=None,
            )
        )
    return LocalFeatures.joined(parts)


class ExpansionStage:
    """Search again with what verified photos show.

    kind : "transformed": features that fall into the region, brought back by the verified map; "average": all
        features of the verified photos; "recursive": transformed, again and again while more photos are verified
    most : photos that lend their features; 10 if not given, 30 for "recursive"
    top, seconds, least_inliers : of the verification, see ``SpatialStage``; before the search, where no stage did, and
        of what the search brings up
    Chum, Philbin, Sivic, Isard & Zisserman, ICCV 2007, section 4.
    """

    needs: ClassVar = frozenset({"local", "features", "search"})

    def __init__(
        self,
        *,
        kind: str = "transformed",
        most: int | None = None,
        top: int = 100,
        seconds: float | None = None,
        least_inliers: int = LEAST_INLIERS,
    ) -> None:
        self._kind = as_choice(kind, "kind", KINDS)
        self._most = _MOST[kind] if most is None else as_count(most, "most")
        self._spatial = SpatialStage(top=top, seconds=seconds, least_inliers=least_inliers)

    def __call__(self, asked: Asked, ranking: Ranking) -> Ranked:
        lists = Ranked.of(ranking).lists
        return Ranked.joined([self._expanded(asked, i, one) for i, one in enumerate(lists)])

    def _expanded(self, asked: Asked, query: int, ranked: RankedList) -> RankedList:
        if not ranked.verified:
            ranked = self._spatial.verified(asked, query, ranked)
        lent: set[int] = set()
        for _ in range(_ROUNDS[self._kind]):
            sure = ranked.ids[ranked.inliers(ranked.ids) >= SURE_INLIERS][: self._most].tolist()
            if lent.issuperset(sure):
                break
            lent.update(sure)
            expanded = expand_features(
                asked.need("local")[query],
                [asked.need("features")(i) for i in sure],
                [ranked.verified[i] for i in sure],
                region=None if asked.regions is None else asked.regions[query],
                whole=self._kind == "average",
            )
            scores, ids = asked.need("search")(query, expanded)
            ranked = self._spatial.verified(asked, query, replace(ranked, ids=ids, scores=scores))
        return ranked
