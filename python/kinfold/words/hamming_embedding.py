"""Binary signatures that tell descriptors of one visual word apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.random import generator
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take, take_param
from kinfold.transform.rotation import Rotation
from kinfold.words.words import VisualWords, as_sigma

BITS = 64
WEIGHTS = ("gaussian", "linear", "none")
# Fewer descriptors than this tell nothing of a word's medians.
_FEW = 8


@dataclass
class HammingEmbedding(Restorable):
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

    threshold: int = 24
    weight: str = "gaussian"
    sigma: float = 16.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.threshold = as_count(self.threshold, "threshold", least=0, most=BITS)
        self.weight = as_choice(self.weight, "weight", WEIGHTS)
        self.sigma = as_sigma(self.sigma)
        self.seed = as_count(self.seed, "seed", least=0)
        self._projection: Rotation | None = None
        self._medians: Vectors | None = None

    @property
    def is_trained(self) -> bool:
        """Whether there are medians."""
        return self._medians is not None

    def fit(self, descriptors: Vectors, assigned: Ids, words: VisualWords) -> HammingEmbedding:
        """Learn each word's medians from descriptors (n, d) and their words (n,).

        A word with few descriptors takes its own projections.
        """
        d = descriptors.shape[1]
        if d >= BITS:
            self._projection = Rotation.random(d, BITS, seed=self.seed)
        else:
            self._projection = Rotation(generator(self.seed).standard_normal((BITS, d)))
        medians = self._projection.transform(words.centroids)
        projected = self._projection.transform(descriptors)
        order = np.argsort(assigned, kind="stable")
        used, starts = np.unique(assigned[order], return_index=True)
        for word, rows in zip(used, np.split(order, starts[1:])):
            if len(rows) >= _FEW:
                medians[word] = np.median(projected[rows], axis=0)
        self._medians = medians
        return self

    def signatures(self, descriptors: Vectors, assigned: Ids) -> NDArray[np.uint64]:
        """Signatures uint64 (n, m) of descriptors (n, d) for their words (n, m)."""
        if self._projection is None or self._medians is None:
            raise NotTrainedError("HammingEmbedding: call fit first")
        projected = self._projection.transform(descriptors)
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

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "threshold": self.threshold, "weight": self.weight, "sigma": self.sigma, "seed": self.seed,
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """Projection and medians."""
        if self._projection is None or self._medians is None:
            raise NotTrainedError("HammingEmbedding: call fit first")
        return {"projection": self._projection.matrix, "medians": self._medians}

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], words: VisualWords
    ) -> HammingEmbedding:
        """The same from its parts."""
        check_only(params, {"threshold", "weight", "sigma", "seed"}, "parameters")
        check_only(arrays, {"projection", "medians"}, "arrays")
        made = cls(
            take_param(params, "threshold", int),
            take_param(params, "weight", str),
            take_param(params, "sigma", (int, float)),
            take_param(params, "seed", int),
        )
        projection = take(arrays, "projection", np.float32, (BITS, words.centroids.shape[1]))
        medians = take(arrays, "medians", np.float32, (words.k, BITS))
        if not np.isfinite(projection).all():
            raise FileFormatError("array 'projection': expected finite numbers")
        made._projection = Rotation(projection)
        made._medians = np.ascontiguousarray(medians)
        return made
