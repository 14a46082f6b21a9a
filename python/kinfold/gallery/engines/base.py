"""What every engine does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import JSON, Arrays
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA

# Photos that a whitening is learnt on; more add little and cost memory.
MOST_LEARNT = 8192


class Learnt(Protocol):
    """What every engine is: learnt on a collection, and saved."""

    raw: str | None

    @classmethod
    def learn(cls, segments: Iterable[Segment], settings: Settings) -> Learnt:
        """Learn from all photos of a collection, segment by segment; ``segments`` may be gone through twice."""
        ...

    def params(self) -> dict[str, JSON]: ...

    def arrays(self) -> Arrays: ...

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> Learnt: ...


class Engine(Learnt, Protocol):
    """Gives each photo a vector of length one.

    raw : the name of the array that segments hold for it, or None where local features suffice
    """

    raw: str | None

    def vectors(self, segment: Segment) -> Vectors:
        """A vector for each photo of a segment, (n, dim), of length one."""
        ...

    def describe(self, features: LocalFeatures, raw: Vectors | None) -> Vectors:
        """The vector of one photo, (dim,)."""
        ...


def learn_whitening(raw: Vectors, dim: int, exponent: float) -> PCA | None:
    """PCA-whitening with shrinkage, or None where there are too few photos to learn from."""
    if len(raw) < 3 or not np.ptp(raw, axis=0).any():
        return None
    most = min(len(raw) - 1, raw.shape[1])
    return PCA(min(dim, most), whiten=exponent, shrinkage="ledoit-wolf").fit(raw)


def whitened(raw: Vectors, whitening: PCA | None) -> Vectors:
    """Whitened where that could be learnt; of length one."""
    return l2_normalize(raw if whitening is None else whitening.transform(raw))


def sample_descriptors(
    segments: list[Segment], count: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Descriptors of all photos, each segment by its share, about ``count`` in all."""
    total = sum(len(segment.descriptors) for segment in segments)
    share = min(1.0, count / max(total, 1))
    parts = [np.empty((0, 128), np.uint8)]
    for segment in segments:
        n = len(segment.descriptors)
        rows = np.sort(random.choice(n, min(n, round(n * share)), replace=False))
        parts.append(np.asarray(segment.descriptors[rows]))
    return np.concatenate(parts)
