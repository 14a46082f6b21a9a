"""The colours around local features, as a VLAD: what descriptors of grey leave out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.aggregate.vlad import VLAD
from kinfold.base.arrays import Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.learnt import Part
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.engines.base import most_words, sample_rows
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.colour import colour_vectors

# Colours that a codebook is learnt on, for each codeword.
_PER_CODEWORD = 300


class ColourEngine(PooledEngine):
    """VLAD (see engines.vlad) of colours at nine places around each local feature.

    Weak alone, where things of one colour abound; beside descriptors of grey it tells apart what they do not.
    """

    weight: ClassVar[float] = 0.15
    evidence: ClassVar[str] = "colour"
    learnt = Part(VLAD, name="colour")

    @staticmethod
    def local(features: LocalFeatures) -> Vectors:
        return colour_vectors(_known(features.colours))

    @classmethod
    def fitted(
        cls, segments: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> VLAD:
        stored = [_known(segment.colours) for segment in segments]
        sample = sample_rows(stored, settings.colour_codewords * _PER_CODEWORD, random)
        k = most_words(settings.colour_codewords, sample)
        return VLAD(k, seed=settings.seed).fit(colour_vectors(sample))


def _known(colours: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if colours is None:
        raise GalleryError("the photos were described without colours; index them anew")
    return colours
