"""RootSIFT, VLAD with intra-normalisation, PCA-whitening: learnt on the collection, no weights needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery.engines.base import (
    MOST_LEARNT,
    learn_whitening,
    sample_descriptors,
    whitened,
)
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.local.sift import root_sift
from kinfold.local.vlad import VLAD
from kinfold.transform.pca import PCA

# Descriptors that a codebook is learnt on, for each codeword.
_PER_CODEWORD = 1000


class VLADEngine:
    """Jegou & Chum, ECCV 2012; Arandjelovic & Zisserman, CVPR 2013."""

    raw: str | None = None

    def __init__(self, vlad: VLAD, whitening: PCA | None) -> None:
        self._vlad, self._whitening = vlad, whitening

    @classmethod
    def learn(cls, segments: Iterable[Segment], settings: Settings) -> VLADEngine:
        """A codebook on a sample of descriptors, then the whitening on a sample of photos."""
        held = list(segments)
        random = generator(settings.seed)
        sample = sample_descriptors(held, settings.codewords * _PER_CODEWORD, random)
        if len(sample) == 0:
            raise GalleryError(
                "no photo has any local feature to learn from; use the engine 'cnn' for such photos"
            )
        vlad = VLAD(min(settings.codewords, len(np.unique(sample, axis=0))), seed=settings.seed)
        vlad.fit(root_sift(sample))
        photos = [(segment, row) for segment in held for row in range(len(segment))]
        if len(photos) > MOST_LEARNT:
            chosen = np.sort(random.choice(len(photos), MOST_LEARNT, replace=False))
            photos = [photos[i] for i in chosen]
        raw = vlad.transform([root_sift(s.features(r).descriptors) for s, r in photos])
        return cls(vlad, learn_whitening(raw, settings.dim, settings.whitening))

    def vectors(self, segment: Segment) -> Vectors:
        descriptors = [root_sift(segment.features(row).descriptors) for row in range(len(segment))]
        return whitened(self._vlad.transform(descriptors), self._whitening)

    def describe(self, features: LocalFeatures, raw: Vectors | None) -> Vectors:
        return whitened(self._vlad.transform([root_sift(features.descriptors)]), self._whitening)[0]

    def params(self) -> dict[str, JSON]:
        whitening = None if self._whitening is None else self._whitening.params()
        return {"vlad": self._vlad.params(), "whitening": whitening}

    def arrays(self) -> Arrays:
        whitening = {} if self._whitening is None else self._whitening.arrays()
        return {**add_prefix("vlad", self._vlad.arrays()), **add_prefix("whitening", whitening)}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> VLADEngine:
        check_only(params, {"vlad", "whitening"}, "parameters")
        vlad = VLAD.from_state(take_param(params, "vlad", dict), strip_prefix("vlad", arrays))
        chosen = take_param(params, "whitening", (dict, type(None)))
        whitening = None
        if chosen is not None:
            whitening = PCA.from_state(chosen, strip_prefix("whitening", arrays))
        return cls(vlad, whitening)
