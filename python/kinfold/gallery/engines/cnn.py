"""Pooled descriptors of one network or several, each PCA-whitened on the collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery.engines.base import MOST_LEARNT, learn_whitening, whitened
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import MOST_NETWORKS, Settings
from kinfold.transform.pca import PCA


class CNNEngine:
    """Radenovic, Tolias & Chum, PAMI 2019, with whitening learnt without labels.

    Similarity is the mean over networks; their vectors stand side by side.
    """

    # Beside sets of local features as much as these.
    weight: ClassVar[float] = 0.85

    def __init__(self, whitenings: Sequence[PCA | None]) -> None:
        self._whitenings = tuple(whitenings)

    @property
    def whitening(self) -> PCA | None:
        """What was learnt for the first network, or None where there were too few photos."""
        return self._whitenings[0]

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> CNNEngine:
        """The whitenings, on a sample of photos."""
        whitenings = []
        for parts in zip(*(_networks(segment) for segment in segments)):
            raw = np.concatenate(parts)
            step = -(-len(raw) // MOST_LEARNT)
            whitenings.append(
                learn_whitening(raw[::step], settings.network_dim, settings.whitening)
            )
        return cls(whitenings)

    def vectors(self, segment: PhotoSegment) -> Vectors:
        return self._joined(_networks(segment))

    def describe(self, features: LocalFeatures, networks: Sequence[Vectors]) -> Vectors:
        return self._joined([raw[None, :] for raw in networks])[0]

    def _joined(self, networks: Sequence[Vectors]) -> Vectors:
        if len(networks) != len(self._whitenings):
            raise GalleryError(
                f"expected descriptors of {len(self._whitenings)} networks, got {len(networks)}"
            )
        parts = [whitened(raw, learnt) for raw, learnt in zip(networks, self._whitenings)]
        return np.concatenate(parts, axis=1) / np.float32(len(parts) ** 0.5)

    def params(self) -> dict[str, JSON]:
        return {"whitenings": [None if w is None else w.params() for w in self._whitenings]}

    def arrays(self) -> Arrays:
        arrays: Arrays = {}
        for i, whitening in enumerate(self._whitenings):
            if whitening is not None:
                arrays |= add_prefix(f"whitening{i}", whitening.arrays())
        return arrays

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> CNNEngine:
        check_only(params, {"whitenings"}, "parameters")
        chosen = take_param(params, "whitenings", list)
        if not 0 < len(chosen) <= MOST_NETWORKS:
            raise FileFormatError(f"parameter 'whitenings': got {len(chosen)}")
        whitenings: list[PCA | None] = []
        for i, state in enumerate(chosen):
            if not isinstance(state, (dict, type(None))):
                raise FileFormatError(f"parameter 'whitenings': got {state!r}")
            own = strip_prefix(f"whitening{i}", arrays)
            whitenings.append(None if state is None else PCA.from_state(state, own))
        return cls(whitenings)


def _networks(segment: PhotoSegment) -> tuple[Vectors, ...]:
    if not segment.networks:
        raise GalleryError("a segment holds no network descriptors")
    return segment.networks
