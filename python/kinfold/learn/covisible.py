"""Which photos see the same points: clusters to learn from, without labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_array, as_ids
from kinfold.learn.similar import as_pair_rows


class Ways(NamedTuple):
    """Pairs both ways round, by the first photo.

    query, other, common : int64 (2 m,), photos, and the points that both see
    share : float64 (2 m,), of the points that the query sees
    change : float64 (2 m,), at least 1: how many times larger or smaller things are
    """

    query: Ids
    other: Ids
    common: Ids
    share: NDArray[np.float64]
    change: NDArray[np.float64]


class CoVisible:
    """What geometry says of n photos: which show one thing, and what pairs of these have in common.

    clusters : int (n,), equal for photos of one thing; -1 for those of which nothing is known
    pairs : int (m, 2), photos of one cluster that see some points in common, each pair once
    common : int (m,), so many points
    points : int (n,), points that each photo sees at all
    scales : (m,), so many times larger things are in the second photo, both seen at the size that a network takes
    unsure : int (u, 2), photos of different clusters, or of none, that may show one thing nevertheless: no negatives
    Points are those of a reconstruction, or features that verified matches have in common.
    """

    def __init__(
        self, clusters: Any, pairs: Any, common: Any, points: Any, scales: Any, *, unsure: Any = ()
    ) -> None:
        self.clusters = as_ids(as_array(clusters, "clusters") + 1, "clusters") - 1
        n = len(self)
        self.pairs, self.unsure = _pairs(pairs, "pairs", n), _pairs(unsure, "unsure", n)
        m = len(self.pairs)
        self.common, self.points = as_ids(common, "common", n=m), as_ids(points, "points", n=n)
        self.scales = as_array(scales, "scales").astype(np.float64) if m else np.empty(0)
        ends = self.clusters[self.pairs]
        if (ends[:, 0] != ends[:, 1]).any() or (ends < 0).any():
            raise ValueError("pairs: expected photos of one cluster in each")
        if (self.common[:, None] > self.points[self.pairs]).any():
            raise ValueError("common: expected at most the points that each of both photos sees")
        if self.scales.shape != (m,) or not (np.isfinite(self.scales) & (self.scales > 0)).all():
            raise ValueError(f"scales: expected {m} finite numbers above 0")

    def __len__(self) -> int:
        return len(self.clusters)

    def __repr__(self) -> str:
        known = self.clusters[self.clusters >= 0]
        return f"CoVisible({len(self)} photos, {len(known)} of them in {len(np.unique(known))} clusters)"

    def of(self, photos: Any) -> CoVisible:
        """The same of some photos, int (m,), each once, in their order; what they share with others is left out."""
        rows = as_ids(photos, "photos")
        if (len(rows) and rows.max() >= len(self)) or len(np.unique(rows)) < len(rows):
            raise ValueError(f"photos: expected rows below {len(self)}, each once")
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        pairs, unsure = place[self.pairs], place[self.unsure]
        kept = (pairs >= 0).all(axis=1)
        return CoVisible(
            self.clusters[rows], pairs[kept], self.common[kept], self.points[rows], self.scales[kept],
            unsure=unsure[(unsure >= 0).all(axis=1)],
        )  # fmt: skip

    def ways(self) -> Ways:
        """Pairs both ways round, sorted by query, then by the other."""
        both = np.concatenate([self.pairs, self.pairs[:, ::-1]])
        common, scales = np.tile(self.common, 2), np.tile(self.scales, 2)
        order = np.lexsort(both.T[::-1])
        query, other = np.ascontiguousarray(both[order].T)
        common, scales = common[order], scales[order]
        share = common / np.maximum(self.points[query], 1)
        return Ways(query, other, common, share, np.maximum(scales, 1 / scales))


def _pairs(given: Any, name: str, n: int) -> Ids:
    pairs = as_pair_rows(given, n) if len(given) else np.empty((0, 2), np.int64)
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"{name}: expected two different photos in each")
    if len(np.unique(np.sort(pairs, axis=1), axis=0)) < len(pairs):
        raise ValueError(f"{name}: expected each pair once")
    return pairs
