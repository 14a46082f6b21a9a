"""What every engine does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import JSON, Arrays
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.learn.adapter import Adapter
from kinfold.local.descriptors import compared
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA
from kinfold.words.photos import PhotoTable

# Photos that a whitening is learnt on; more add little and cost memory.
MOST_LEARNT = 8192
# Regions that a whitening is learnt on.
MOST_REGIONS = 65_536
# Different descriptors that a word needs: of a word for each descriptor, no residual would be left.
_LEAST_PER_WORD = 8


class Engine(Protocol):
    """What of a photo is compared: learnt on a collection, and saved.

    An engine gives each photo a vector (``VectorEngine``), or keeps all photos itself (``KeepingEngine``).

    weight : of its similarity where several engines are used and nothing else is asked for
    evidence : what of a photo it looks at; engines of the same have one voice together, see ``shares_of``
    """

    weight: ClassVar[float]
    evidence: ClassVar[str]

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> Engine:
        """Learn from all photos of a collection, segment by segment; ``segments`` may be gone through twice."""
        ...

    def params(self) -> dict[str, JSON]: ...

    def arrays(self) -> Arrays: ...

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> Engine: ...


class BroughtEngine(Engine, Protocol):
    """One that may come learnt on other photos."""

    def suited(self, segments: Iterable[PhotoSegment], settings: Settings) -> Engine:
        """The same for all photos of a collection: what is cheap to learn and differs among collections is its own."""
        ...


class VectorEngine(Engine, Protocol):
    """Gives each photo a vector of length one; similarity is their inner product."""

    def vectors(self, segment: PhotoSegment) -> Vectors:
        """A vector for each photo of a segment, (n, dim), of length one."""
        ...

    def describe(
        self,
        features: LocalFeatures,
        networks: Sequence[Vectors],
        regions: Mapping[int, RegionSets],
    ) -> Vectors:
        """The vector of one photo, (dim,), from its local features, its networks' descriptors and their regions."""
        ...


def shares_of(engines: Mapping[str, Engine]) -> dict[str, float]:
    """The share of each engine in the similarity, adding to one, where nothing else is asked for.

    Engines that look at the same err together: all of them weigh as much as the weightiest of them would alone.
    """
    kinds: dict[str, list[float]] = {}
    for engine in engines.values():
        kinds.setdefault(engine.evidence, []).append(engine.weight)
    voice = {kind: max(weights) / sum(weights) for kind, weights in kinds.items()}
    weights = {name: engine.weight * voice[engine.evidence] for name, engine in engines.items()}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


# Photos in an inverted file: ``words.ASMK``, ``words.BagOfWords``.
Lists: TypeAlias = PhotoTable[Any]


def described(features: LocalFeatures) -> Vectors:
    """What is compared of a photo's descriptors: RootSIFT, or the directions that networks gave."""
    return compared(features.descriptors)


def all_described(segment: PhotoSegment) -> list[Vectors]:
    """The same of each photo of a segment."""
    return [described(segment.features(row)) for row in range(len(segment))]


def learn_whitening(raw: Vectors, dim: int, exponent: float) -> PCA | None:
    """PCA-whitening with shrinkage, or None where there are too few photos to learn from."""
    if len(raw) < 3 or not np.ptp(raw, axis=0).any():
        return None
    most = min(len(raw) - 1, raw.shape[1])
    return PCA(min(dim, most), whiten=exponent, shrinkage="ledoit-wolf").fit(raw)


def whitened(raw: Vectors, whitening: PCA | Adapter | None) -> Vectors:
    """Whitened where that could be learnt; of length one."""
    return l2_normalize(raw if whitening is None else whitening.transform(raw))


def most_words(wanted: int, sample: NDArray[Any]) -> int:
    """So many words, or as many as can be learnt from a sample of descriptors."""
    return max(1, min(wanted, len(np.unique(sample, axis=0)) // _LEAST_PER_WORD))


def sample_rows(
    arrays: Sequence[NDArray[Any]], count: int, random: np.random.Generator
) -> NDArray[Any]:
    """Rows of all segments' arrays, each segment by its share, about ``count`` in all.

    Raises GalleryError where there is none.
    """
    total = _some(arrays)
    share = min(1.0, count / total)
    parts = []
    for array in arrays:
        rows = random.choice(len(array), min(len(array), round(len(array) * share)), replace=False)
        parts.append(np.asarray(array[np.sort(rows)]))
    return np.concatenate(parts)


def _some(arrays: Iterable[NDArray[Any]]) -> int:
    """How many rows there are. Raises GalleryError where there is none."""
    total = sum(map(len, arrays))
    if not total:
        raise GalleryError(
            "no photo has any local feature to learn from; use the engine 'cnn' for such photos"
        )
    return total


def with_features(segments: Iterable[PhotoSegment]) -> list[PhotoSegment]:
    """The segments. Raises GalleryError where no photo of theirs has any local feature."""
    every = list(segments)
    _some(segment.descriptors for segment in every)
    return every


def sample_descriptors(
    segments: Sequence[PhotoSegment], count: int, random: np.random.Generator
) -> NDArray[Any]:
    """Local descriptors of all photos, as they are kept; see sample_rows."""
    return sample_rows([segment.descriptors for segment in segments], count, random)


def sample_regions(segments: Sequence[RegionSets]) -> Vectors:
    """Regions of all segments, float32 (n, d), evenly, about ``MOST_REGIONS`` at most."""
    every = np.concatenate([np.asarray(held.vectors) for held in segments])
    step = max(1, -(-len(every) // MOST_REGIONS))
    return every[::step].astype(np.float32)


def sample_photos(
    segments: Sequence[PhotoSegment],
    count: int,
    random: np.random.Generator,
    describe: Callable[[LocalFeatures], Vectors] = described,
) -> list[Vectors]:
    """What ``describe`` gives of photos of all segments, ``count`` at most, in their order."""
    photos = [(segment, row) for segment in segments for row in range(len(segment))]
    if len(photos) > count:
        chosen = np.sort(random.choice(len(photos), count, replace=False))
        photos = [photos[i] for i in chosen]
    return [describe(segment.features(row)) for segment, row in photos]
