"""Local features pooled into one vector, PCA-whitened: learnt on the collection, no weights needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from kinfold.base.arrays import Vectors
from kinfold.base.declared import Declared
from kinfold.base.learnt import Part
from kinfold.base.local_features import LocalFeatures
from kinfold.base.random import generator
from kinfold.gallery.engines.base import (
    MOST_LEARNT,
    described,
    learn_whitening,
    sample_photos,
    whitened,
    with_features,
)
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.transform.pca import PCA


class Pooling(Protocol):
    """Sets of local descriptors to one vector each: ``aggregate.VLAD``, ``aggregate.TEmbedding``."""

    def transform(self, photos: Any) -> Vectors:
        """A vector for each photo, which is given as its local descriptors (n_i, d)."""
        ...


class PooledEngine(Declared):
    """An engine of the vectors that a pooling gives.

    learnt : the pooling
    whitening : None where there were too few photos to learn it from
    """

    weight: ClassVar[float]
    evidence: ClassVar[str] = "local"
    learnt: Part[Any]
    whitening: Part[PCA | None] = Part(PCA, optional=True)

    def __init__(self, learnt: Pooling, whitening: PCA | None) -> None:
        self.learnt, self.whitening = learnt, whitening

    @staticmethod
    def local(features: LocalFeatures) -> Vectors:
        """What is pooled of a photo, float32 (n, d)."""
        return described(features)

    @classmethod
    def fitted(
        cls, segments: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> Pooling:
        """The pooling, learnt on a sample of descriptors. Raises GalleryError where there are none."""
        raise NotImplementedError

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> PooledEngine:
        """The pooling first, then the whitening on a sample of photos."""
        every, random = list(segments), generator(settings.seed)
        return cls(cls.fitted(every, settings, random), None)._whitening(every, settings, random)

    def suited(self, segments: Iterable[PhotoSegment], settings: Settings) -> PooledEngine:
        """The same pooling with a whitening that is learnt on a sample of other photos."""
        return self._whitening(with_features(segments), settings, generator(settings.seed))

    def _whitening(
        self, every: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> PooledEngine:
        raw = self.learnt.transform(sample_photos(every, MOST_LEARNT, random, self.local))
        return type(self)(self.learnt, learn_whitening(raw, settings.dim, settings.whitening))

    def vectors(self, segment: PhotoSegment) -> Vectors:
        photos = [self.local(segment.features(row)) for row in range(len(segment))]
        return whitened(self.learnt.transform(photos), self.whitening)

    def describe(
        self,
        features: LocalFeatures,
        networks: Sequence[Vectors] = (),
        regions: Mapping[int, RegionSets] | None = None,
    ) -> Vectors:
        return whitened(self.learnt.transform([self.local(features)]), self.whitening)[0]
