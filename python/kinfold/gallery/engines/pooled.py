"""Local features pooled into one vector, PCA-whitened: learnt on the collection, no weights needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.local_features import LocalFeatures
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery.engines.base import (
    MOST_LEARNT,
    described,
    learn_whitening,
    sample_photos,
    whitened,
)
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.transform.pca import PCA


class Pooling(Protocol):
    """Sets of local descriptors to one vector each: ``aggregate.VLAD``, ``aggregate.TEmbedding``."""

    def transform(self, photos: Any) -> Vectors:
        """A vector for each photo, which is given as its local descriptors (n_i, d)."""
        ...

    def params(self) -> dict[str, JSON]: ...

    def arrays(self) -> Arrays: ...


class PooledEngine:
    """An engine of the vectors that a pooling gives.

    name : of the pooling, in the file
    pooling : its class, which knows ``from_state``
    """

    weight: ClassVar[float]
    name: ClassVar[str]
    pooling: ClassVar[Any]

    def __init__(self, learnt: Pooling, whitening: PCA | None) -> None:
        self._learnt, self._whitening = learnt, whitening

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
        learnt = cls.fitted(every, settings, random)
        raw = learnt.transform(sample_photos(every, MOST_LEARNT, random, cls.local))
        return cls(learnt, learn_whitening(raw, settings.dim, settings.whitening))

    def vectors(self, segment: PhotoSegment) -> Vectors:
        photos = [self.local(segment.features(row)) for row in range(len(segment))]
        return whitened(self._learnt.transform(photos), self._whitening)

    def describe(self, features: LocalFeatures, networks: Sequence[Vectors] = ()) -> Vectors:
        return whitened(self._learnt.transform([self.local(features)]), self._whitening)[0]

    def params(self) -> dict[str, JSON]:
        whitening = None if self._whitening is None else self._whitening.params()
        return {self.name: self._learnt.params(), "whitening": whitening}

    def arrays(self) -> Arrays:
        whitening = {} if self._whitening is None else self._whitening.arrays()
        return {
            **add_prefix(self.name, self._learnt.arrays()),
            **add_prefix("whitening", whitening),
        }

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> PooledEngine:
        check_only(params, {cls.name, "whitening"}, "parameters")
        learnt = cls.pooling.from_state(
            take_param(params, cls.name, dict), strip_prefix(cls.name, arrays)
        )
        chosen = take_param(params, "whitening", (dict, type(None)))
        whitening = None
        if chosen is not None:
            whitening = PCA.from_state(chosen, strip_prefix("whitening", arrays))
        return cls(learnt, whitening)
