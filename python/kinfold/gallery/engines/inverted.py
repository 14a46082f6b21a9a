"""Sets of local features in an inverted file: learnt on the collection, no weights needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, check_only, take_param
from kinfold.gallery.engines.base import Lists, most_words, sample_descriptors, sample_photos
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.sift import root_sift
from kinfold.words.words import VisualWords

# Descriptors that the words are learnt on, for each word.
_PER_WORD = 40
# Photos that tell what unlike ones have in common, those of them that are asked, and how far above is half way.
_COMPARED, _ASKED = 256, 32
_ABOVE_UNLIKE = 5.0


class ListsEngine:
    """An engine that has no vectors: it keeps what was learnt, ``empty`` gives an inverted file for the photos.

    name : of the inverted file, in the gallery
    lists : its class, which knows ``from_state``
    half : the similarity that counts one half beside those of other engines
    """

    weight: ClassVar[float]
    name: ClassVar[str]
    lists: ClassVar[Any]

    def __init__(self, learnt: Lists, half: float) -> None:
        self._learnt, self.half = learnt, half

    @classmethod
    def made(cls, words: VisualWords) -> Lists:
        """An inverted file over words that are yet to be learnt."""
        made: Lists = cls.lists(words)
        return made

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> ListsEngine:
        """Words, and what else is learnt, on a sample of descriptors."""
        every, random = list(segments), generator(settings.seed)
        sample = sample_descriptors(every, settings.visual_words * _PER_WORD, random)
        k = most_words(settings.visual_words, sample)
        words = VisualWords(k, sample=None, seed=settings.seed, verbose=False)
        engine = cls(cls.made(words).fit(root_sift(sample)), 1.0)
        engine.half = engine._half(sample_photos(every, _COMPARED, random))
        return engine

    def _half(self, photos: list[Vectors]) -> float:
        """So many times what different photos have in common as tells them apart; most of a sample are unlike."""
        lists = self.empty()
        lists.add(photos)
        # The most alike is the photo itself.
        others = np.sort(lists.scores(photos[:_ASKED]), axis=1)[:, :-1]
        unlike = float(np.quantile(np.maximum(others, 0), 0.75)) if others.size else 0.0
        return max(_ABOVE_UNLIKE * unlike, 1e-4)

    def empty(self) -> Lists:
        """An inverted file without photos."""
        made: Lists = self.lists.from_state(self._learnt.params(), self._learnt.arrays())
        return made

    def comparable(self, similarities: Vectors) -> Vectors:
        """Similarities on the scale of cosines, in the same order: 0 for unlike photos, 0.5 at ``half``, below 1."""
        known = np.maximum(similarities, 0)
        return known / (known + np.float32(self.half))

    def params(self) -> dict[str, JSON]:
        return {self.name: self._learnt.params(), "half": self.half}

    def arrays(self) -> Arrays:
        return self._learnt.arrays()

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> ListsEngine:
        check_only(params, {cls.name, "half"}, "parameters")
        half = float(take_param(params, "half", (int, float)))
        if not 0 < half < np.inf:
            raise FileFormatError(f"parameter 'half': got {half!r}")
        return cls(cls.lists.from_state(take_param(params, cls.name, dict), arrays), half)
