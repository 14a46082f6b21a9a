"""RootSIFT as visual words with signatures: bags of words with Hamming embedding."""

from __future__ import annotations

from typing import ClassVar

from kinfold.base.learnt import Part
from kinfold.gallery.engines.base import Lists
from kinfold.gallery.engines.inverted import ListsEngine
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.words import VisualWords


class BoWEngine(ListsEngine):
    """Sivic & Zisserman, ICCV 2003; Jegou, Douze & Schmid, ECCV 2008."""

    weight: ClassVar[float] = 0.5
    lists = BagOfWords
    learnt = Part(BagOfWords, name="bow", inline=True)

    @classmethod
    def made(cls, words: VisualWords) -> Lists:
        return BagOfWords(words, embedding=HammingEmbedding())
