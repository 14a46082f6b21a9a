"""Binary signatures that tell descriptors of one visual word apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Number
from kinfold.base.random import generator
from kinfold.transform.rotation import Rotation
from kinfold.words.words import SIGMAS, VisualWords

BITS = 64
WEIGHTS = ("gaussian", "linear", "none")
# Fewer descriptors than this tell nothing of a word's medians.
_FEW = 8


class HammingEmbedding(Declared):
    """64 bits of each descriptor: its projections against the medians of its word in training.

    threshold : descriptors that differ in more bits do not match
    weight : what a match at Hamming distance h counts: "gaussian" exp(-h^2 / sigma^2), "linear"
        1 - h / (threshold + 1), "none" 1
    sigma : of the Gaussian, in bits
    seed : of the random orthogonal projection

    Jegou, Douze and Schmid, ECCV 2008; the weights: CVPR 2009, and IJCV 2010.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> words = kf.VisualWords(16, verbose=False)
    >>> model = kf.BagOfWords(words, embedding=kf.HammingEmbedding(threshold=24)).fit(x)
    >>> len(model.add(np.split(x, 10)))
    10
    """

    threshold = Count(least=0, most=BITS)
    weight = Choice(*WEIGHTS)
    sigma = Number(*SIGMAS)
    seed = Count(least=0)
    _projection = Learnt(np.float32, (BITS, "d"), finite=True)
    _medians = Learnt(np.float32, ("words", BITS))

    def __init__(
        self, threshold: int = 24, weight: str = "gaussian", sigma: float = 16.0, seed: int = 0
    ) -> None:
        self.threshold, self.weight, self.sigma, self.seed = threshold, weight, sigma, seed

    @property
    def is_trained(self) -> bool:
        """Whether there are medians."""
        return hasattr(self, "_medians")

    @property
    def words(self) -> int:
        """How many words there are medians of."""
        return len(self._medians)

    @property
    def dim(self) -> int:
        """Dimension of the descriptors."""
        return self._projection.shape[1]

    def fit(self, descriptors: Vectors, assigned: Ids, words: VisualWords) -> HammingEmbedding:
        """Learn each word's medians from descriptors (n, d) and their words (n,).

        A word with few descriptors takes its own projections.
        """
        d = descriptors.shape[1]
        if d >= BITS:
            turn = Rotation.random(d, BITS, seed=self.seed)
        else:
            turn = Rotation(generator(self.seed).standard_normal((BITS, d)))
        medians, projected = turn.transform(words.centroids), turn.transform(descriptors)
        order = np.argsort(assigned, kind="stable")
        used, starts = np.unique(assigned[order], return_index=True)
        for word, rows in zip(used, np.split(order, starts[1:])):
            if len(rows) >= _FEW:
                medians[word] = np.median(projected[rows], axis=0)
        self._projection, self._medians = turn.matrix, medians
        return self

    def signatures(self, descriptors: Vectors, assigned: Ids) -> NDArray[np.uint64]:
        """Signatures uint64 (n, m) of descriptors (n, d) for their words (n, m)."""
        projected = Rotation(self._projection).transform(descriptors)
        out = np.empty(assigned.shape, np.uint64)
        for column in range(assigned.shape[1]):
            above = projected > self._medians[assigned[:, column]]
            packed = np.packbits(above, axis=1, bitorder="little")
            out[:, column] = packed.view(np.uint64)[:, 0]
        return out

    def likeness(self) -> Vectors:
        """What a match at each Hamming distance counts, float32 (65,)."""
        h = np.arange(BITS + 1)
        counted = {
            "gaussian": np.exp(-(h**2) / self.sigma**2),
            "linear": 1 - h / (self.threshold + 1),
            "none": np.ones(BITS + 1),
        }[self.weight]
        return np.where(h <= self.threshold, counted, 0).astype(np.float32)
