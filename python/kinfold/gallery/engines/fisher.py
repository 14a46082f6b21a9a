"""RootSIFT, Fisher vectors of means and variances."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kinfold.aggregate.fisher import FisherVector
from kinfold.base.learnt import Part
from kinfold.gallery.engines.base import most_words, sample_descriptors
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.descriptors import compared

# Descriptors that the mixture is learnt on, for each Gaussian.
_PER_GAUSSIAN = 1000


class FisherEngine(PooledEngine):
    """Perronnin, Sanchez & Mensink, ECCV 2010. Half as many Gaussians as codewords: vectors as long as VLAD's."""

    weight: ClassVar[float] = 0.15
    learnt = Part(FisherVector, name="fisher")

    @classmethod
    def fitted(
        cls, segments: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> FisherVector:
        wanted = max(1, settings.codewords // 2)
        sample = sample_descriptors(segments, wanted * _PER_GAUSSIAN, random)
        model = FisherVector(
            most_words(wanted, sample),
            gradients="means and variances",
            iterations=10,
            seed=settings.seed,
        )
        return model.fit(compared(sample))
