"""Sets of local features in an inverted file: learnt on the collection, no weights needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from kinfold.base.arrays import Vectors
from kinfold.base.learnt import Part
from kinfold.base.parameters import Number
from kinfold.base.random import generator
from kinfold.gallery.engines.base import (
    Lists,
    most_words,
    sample_descriptors,
    sample_photos,
    with_features,
)
from kinfold.gallery.engines.keeping import KeepingEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.descriptors import compared
from kinfold.words.words import VisualWords

# Descriptors that the words are learnt on, for each word, and iterations: of more of either, answers are no better.
_PER_WORD, _ITERATIONS = 8, 4
# Photos that tell what unlike ones have in common, those of them that are asked, and how far above is half way.
_COMPARED, _ASKED = 256, 32
_ABOVE_UNLIKE = 5.0


class ListsEngine(KeepingEngine):
    """Keeps what was learnt; ``empty`` gives an inverted file for the photos.

    learnt : an inverted file without photos; its class is ``lists``
    half : the similarity that counts one half beside those of other engines
    """

    learnt: Part[Any]
    half = Number(0, open=True)

    def __init__(self, learnt: Lists, half: float) -> None:
        self.learnt, self.half = learnt, half

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
        words = VisualWords(
            k, sample=None, iterations=_ITERATIONS, seed=settings.seed, verbose=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that these are few
            engine = cls(cls.made(words).fit(compared(sample)), 1.0)
        engine.half = engine._half(sample_photos(every, _COMPARED, random))
        return engine

    def suited(self, segments: Iterable[PhotoSegment], settings: Settings) -> ListsEngine:
        """Itself: words that were learnt on one collection suit others."""
        with_features(segments)
        return self

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
        made: Lists = self.lists.from_state(self.learnt.params(), self.learnt.arrays())
        return made

    def comparable(self, similarities: Vectors) -> Vectors:
        """Similarities on the scale of cosines, in the same order: 0 for unlike photos, 0.5 at ``half``, below 1."""
        known = np.maximum(similarities, 0)
        return known / (known + np.float32(self.half))
