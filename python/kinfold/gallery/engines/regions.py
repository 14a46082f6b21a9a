"""The regions of a network's maps, each PCA-whitened, matched one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.learnt import Part
from kinfold.base.local_features import LocalFeatures
from kinfold.base.parameters import Count
from kinfold.base.ranking import Neighbours
from kinfold.gallery.engines.base import learn_whitening, sample_regions
from kinfold.gallery.engines.keeping import KeepingEngine
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.index.regional import RegionalIndex
from kinfold.transform.pca import PCA

# Regions that an index is asked for, of each of the query's.
DEPTH = 100
# Of photos, those that were removed and still have their rows, at most.
_MOST_REMOVED = 0.25


class RegionsEngine(KeepingEngine):
    """Razavian, Sullivan, Carlsson & Maki 2014: of each region of the query the best match in a photo, and their mean.

    The regions are those of the first network, on the grid of R-MAC at the first scale: one pass of the network.

    dim : of the regions that are compared
    whitening : of regions; None where there were too few
    """

    weight: ClassVar[float] = 0.85
    evidence: ClassVar[str] = "network"
    lists: ClassVar = RegionalIndex
    kept: ClassVar = "regions"
    dim = Count(most=1 << 20)
    whitening: Part[PCA | None] = Part(PCA, optional=True)

    def __init__(self, dim: int, whitening: PCA | None) -> None:
        self.dim, self.whitening = dim, whitening

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> RegionsEngine:
        """The whitening, on a sample of regions."""
        sample = sample_regions([_kept(segment.regions) for segment in segments])
        whitening = learn_whitening(sample, settings.dim, settings.whitening)
        dim = sample.shape[1] if whitening is None else whitening.affine()[1].shape[1]
        return cls(dim, whitening)

    def regional(self, regions: Mapping[int, RegionSets]) -> list[Vectors]:
        """The regions of each photo, (r, dim) each, of length one."""
        kept = _kept(regions)
        return np.split(kept.transformed(self.whitening), kept.starts[1:-1])

    def empty(self) -> RegionalIndex:
        return RegionalIndex(self.dim)

    def held(self, segment: PhotoSegment) -> list[Vectors]:
        return self.regional(segment.regions)

    def asked(self, features: LocalFeatures, regions: Mapping[int, RegionSets]) -> Vectors:
        return self.regional(regions)[0]

    def scores(self, lists: RegionalIndex, asked: Vectors) -> Vectors:
        return lists.scores(asked)

    def neighbours(self, lists: RegionalIndex, k: int) -> Neighbours:
        ids, items = lists.ids, lists.items(lists.ids)
        order = np.argsort(ids, kind="stable")
        similarities = np.full((len(ids), k), -np.inf, np.float32)
        positions = np.full((len(ids), k), -1, np.int64)
        for row, item in enumerate(items):
            found = lists.search(item, min(k + 1, len(ids)))
            others = np.flatnonzero((found.ids != ids[row]) & (found.ids >= 0))[:k]
            near = order[np.searchsorted(ids, found.ids[others], sorter=order)]
            positions[row, : len(near)] = near
            similarities[row, : len(near)] = found.distances[others]
        return Neighbours(similarities, positions)

    def alike(self, lists: RegionalIndex, ids: Ids) -> Vectors:
        return np.stack([lists.scores(item) for item in lists.items(ids)])

    def alike_both(self, lists: RegionalIndex, ids: Ids) -> tuple[Vectors, Vectors]:
        some = self.empty()
        some.add(lists.items(ids), ids=np.arange(len(ids)))
        to = [some.scores(item) for item in lists.items(lists.ids)]
        return self.alike(lists, ids), np.stack(to, axis=1)

    def adopt(self, lists: RegionalIndex, others: RegionalIndex) -> None:
        lists.add(others.items(others.ids), ids=others.ids)

    def ordered(self, lists: RegionalIndex, ids: Ids) -> RegionalIndex:
        removed = lists.stats()["removed"]
        if np.array_equal(lists.ids, ids) and removed <= _MOST_REMOVED * len(ids):
            return lists
        anew = self.empty()
        anew.add(lists.items(ids), ids=ids)
        return anew

    def proposed(
        self,
        lists: RegionalIndex,
        asked: Vectors,
        k: int,
        nearest: Any,
        may: Ids | None = None,
    ) -> Ids:
        """The ids of k photos that an index of the regions proposes, of those that may answer."""
        found = lists.search(asked, k, index=nearest, shortlist=k, depth=DEPTH, filter=may)
        return found.ids[found.ids >= 0]


def _kept(regions: Mapping[int, RegionSets]) -> RegionSets:
    """Those of the first network, at the first scale."""
    if 0 not in regions:
        raise GalleryError(
            "the photos were described without regions: index them anew with --weights FILE --regions"
        )
    return regions[0].first_scale()
