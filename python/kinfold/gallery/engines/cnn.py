"""A network's pooled descriptors, PCA-whitened on the collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery.engines.base import MOST_LEARNT, learn_whitening, whitened
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.transform.pca import PCA


class CNNEngine:
    """Radenovic, Tolias & Chum, PAMI 2019, with whitening learnt without labels."""

    # Beside sets of local features as much as these.
    weight: ClassVar[float] = 0.85
    raw: ClassVar[str | None] = "network"

    def __init__(self, whitening: PCA | None) -> None:
        self._whitening = whitening

    @property
    def whitening(self) -> PCA | None:
        """What was learnt, or None where there were too few photos."""
        return self._whitening

    @classmethod
    def learn(cls, segments: Iterable[Segment], settings: Settings) -> CNNEngine:
        """The whitening, on a sample of photos."""
        raw = np.concatenate([_raw(segment) for segment in segments])
        step = -(-len(raw) // MOST_LEARNT)
        return cls(learn_whitening(raw[::step], settings.network_dim, settings.whitening))

    def vectors(self, segment: Segment) -> Vectors:
        return whitened(_raw(segment), self._whitening)

    def describe(self, features: LocalFeatures, raw: Vectors | None) -> Vectors:
        if raw is None:
            raise GalleryError("the network's descriptor of the query is missing")
        return whitened(raw[None, :], self._whitening)[0]

    def params(self) -> dict[str, JSON]:
        return {"whitening": None if self._whitening is None else self._whitening.params()}

    def arrays(self) -> Arrays:
        return {} if self._whitening is None else add_prefix("whitening", self._whitening.arrays())

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> CNNEngine:
        check_only(params, {"whitening"}, "parameters")
        chosen = take_param(params, "whitening", (dict, type(None)))
        if chosen is None:
            return cls(None)
        return cls(PCA.from_state(chosen, strip_prefix("whitening", arrays)))


def _raw(segment: Segment) -> Vectors:
    if segment.network is None:
        raise GalleryError("a segment holds no network descriptors")
    return segment.network
