"""RootSIFT compared word by word: aggregated selective match kernel, learnt on the collection, no weights needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, check_only, take_param
from kinfold.gallery.engines.base import sample_descriptors
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.local.asmk import ASMK
from kinfold.local.sift import root_sift
from kinfold.local.words import VisualWords

# Descriptors that the words are learnt on, for each word; and words for so many descriptors at most.
_PER_WORD = 40
_LEAST_PER_WORD = 8
# The similarity that counts one half beside those of vectors.
_HALF = 0.002


class ASMKEngine:
    """Tolias, Avrithis & Jegou, ICCV 2013: sets of aggregated residuals, which have no vector.

    The engine keeps what was learnt; the photos are in an ASMK of their own, which ``empty`` gives.
    """

    raw: str | None = None

    def __init__(self, learnt: ASMK) -> None:
        self._learnt = learnt

    @classmethod
    def learn(cls, segments: Iterable[Segment], settings: Settings) -> ASMKEngine:
        """Words, mean and rotation on a sample of descriptors."""
        random = generator(settings.seed)
        sample = sample_descriptors(list(segments), settings.visual_words * _PER_WORD, random)
        distinct = len(np.unique(sample, axis=0)) if len(sample) else 0
        if distinct == 0:
            raise GalleryError(
                "no photo has any local feature to learn from; use the engine 'cnn' for such photos"
            )
        k = max(1, min(settings.visual_words, distinct // _LEAST_PER_WORD))
        words = VisualWords(k, sample=None, seed=settings.seed, verbose=False)
        return cls(ASMK(words).fit(root_sift(sample)))

    def empty(self) -> ASMK:
        """An inverted file without photos."""
        return ASMK.from_state(self._learnt.params(), self._learnt.arrays())

    def params(self) -> dict[str, JSON]:
        return {"asmk": self._learnt.params()}

    def arrays(self) -> Arrays:
        return self._learnt.arrays()

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> ASMKEngine:
        check_only(params, {"asmk"}, "parameters")
        return cls(ASMK.from_state(take_param(params, "asmk", dict), arrays))


def comparable(similarities: Vectors) -> Vectors:
    """ASMK's similarities on the scale of cosines: of different things about 0.0003, of like ones above 0.01."""
    known = np.maximum(similarities, 0)
    return known / (known + np.float32(_HALF))


def described(segment: Segment) -> list[NDArray[np.float32]]:
    """RootSIFT of each photo."""
    return [root_sift(segment.features(row).descriptors) for row in range(len(segment))]
