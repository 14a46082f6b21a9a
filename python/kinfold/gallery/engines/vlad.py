"""RootSIFT, VLAD with intra-normalisation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kinfold.aggregate.vlad import VLAD
from kinfold.base.learnt import Part
from kinfold.gallery.engines.base import most_words, sample_descriptors
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.descriptors import compared

# Descriptors that a codebook is learnt on, for each codeword.
_PER_CODEWORD = 1000


class VLADEngine(PooledEngine):
    """Jegou & Chum, ECCV 2012; Arandjelovic & Zisserman, CVPR 2013."""

    weight: ClassVar[float] = 0.15
    learnt = Part(VLAD, name="vlad")

    @classmethod
    def fitted(
        cls, segments: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> VLAD:
        sample = sample_descriptors(segments, settings.codewords * _PER_CODEWORD, random)
        k = most_words(settings.codewords, sample)
        return VLAD(k, seed=settings.seed).fit(compared(sample))
