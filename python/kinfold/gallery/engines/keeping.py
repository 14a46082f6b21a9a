"""What engines do that give photos no vectors but keep them: in an inverted file, or region by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.declared import Declared
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours
from kinfold.gallery.engines.base import all_described, described
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment


class KeepingEngine(Declared):
    """``empty`` gives what keeps the photos, an inverted file unless an engine says otherwise; the rest asks it.

    lists : the class of what keeps the photos
    kept : what it keeps, the same for engines that keep the same
    """

    weight: ClassVar[float]
    evidence: ClassVar[str] = "local"
    lists: ClassVar[Any]
    kept: ClassVar[str] = "local features"

    def empty(self) -> Any:
        """What keeps photos, without any."""
        raise NotImplementedError

    def held(self, segment: PhotoSegment) -> list[Vectors]:
        """What is kept of each photo of a segment."""
        return all_described(segment)

    def asked(self, features: LocalFeatures, regions: Mapping[int, RegionSets]) -> Vectors:
        """What a query, by its local features and the regions of networks, asks with."""
        return described(features)

    def scores(self, lists: Any, asked: Vectors) -> Vectors:
        """The similarity to each photo, (n,), in the order of ``lists.ids``."""
        scores: Vectors = lists.scores([asked])[0]
        return scores

    def neighbours(self, lists: Any, k: int) -> Neighbours:
        """The k most similar other photos of each: similarities and positions (n, k), -inf and -1 past the end."""
        found: Neighbours = lists.neighbours(k)
        return found

    def alike(self, lists: Any, ids: Ids) -> Vectors:
        """The similarity of some photos to all, by what is kept of both: float32 (ids, n), as ``lists.ids``."""
        found: Vectors = lists.alike(ids)
        return found

    def alike_both(self, lists: Any, ids: Ids) -> tuple[Vectors, Vectors]:
        """The same, and the similarity of each photo to these: where both are one, the same array."""
        found = self.alike(lists, ids)
        return found, found

    def adopt(self, lists: Any, others: Any) -> None:
        """Take in the photos of another that keeps photos."""
        lists.adopt(others)

    def ordered(self, lists: Any, ids: Ids) -> Any:
        """The same photos in the order of ids."""
        return lists.ordered(ids)

    def comparable(self, similarities: Vectors) -> Vectors:
        """Similarities on the scale of cosines, in the same order."""
        return similarities
