"""Pooled descriptors of one network or several, each PCA-whitened on the collection, or adapted to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery.engines.base import MOST_LEARNT, learn_whitening, sample_regions, whitened
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import MOST_NETWORKS, Settings
from kinfold.learn.adapter import Adapter
from kinfold.transform.pca import PCA


class CNNEngine:
    """Radenovic, Tolias & Chum, PAMI 2019, with whitening learnt without labels.

    Similarity is the mean over networks; their vectors stand side by side.

    whitenings : of each network; None where there were too few photos
    adapters : of each network, in the place of its whitening; None where none was learnt
    regional : the networks whose whitening is of regions, which are summed after it: R-MAC (Tolias, Sicre & Jegou, ICLR
        2016). An adapter of such a network is of the sums of regions as they are
    """

    # Beside sets of local features as much as these.
    weight: ClassVar[float] = 0.85
    evidence: ClassVar[str] = "network"

    def __init__(
        self,
        whitenings: Sequence[PCA | None],
        adapters: Sequence[Adapter | None] = (),
        regional: Collection[int] = (),
    ) -> None:
        self._whitenings = tuple(whitenings)
        self.adapters = tuple(adapters) or (None,) * len(self._whitenings)
        self._regional = frozenset(regional)
        if len(self.adapters) != len(self._whitenings):
            raise ValueError(
                f"adapters: expected one for each of {len(self._whitenings)} networks, got {len(self.adapters)}"
            )

    @property
    def whitening(self) -> PCA | Adapter | None:
        """What was learnt for the first network, or None where there were too few photos."""
        return self._maps[0]

    @property
    def _maps(self) -> list[PCA | Adapter | None]:
        """What is done to the descriptors of each network."""
        pairs = zip(self._whitenings, self.adapters)
        return [whitening if adapter is None else adapter for whitening, adapter in pairs]

    def adapted(self, adapters: Sequence[Adapter | None]) -> CNNEngine:
        """The same with others in the place of its adapters, or with none."""
        return CNNEngine(self._whitenings, adapters, self._regional)

    @classmethod
    def learn(cls, segments: Iterable[PhotoSegment], settings: Settings) -> CNNEngine:
        """The whitenings, on a sample of photos, or of their regions."""
        every = list(segments)
        networks = [_networks(segment) for segment in every]
        poolings = settings.poolings(len(networks[0]))
        regional = [number for number, name in enumerate(poolings) if name == "rmac"]
        whitenings = []
        for number, parts in enumerate(zip(*networks)):
            if number in regional:
                raw = sample_regions([_of(segment.regions, number) for segment in every])
            else:
                raw = np.concatenate(parts)
                raw = raw[:: -(-len(raw) // MOST_LEARNT)]
            whitenings.append(learn_whitening(raw, settings.network_dim, settings.whitening))
        return cls(whitenings, (), regional)

    def vectors(self, segment: PhotoSegment) -> Vectors:
        return self._joined(_networks(segment), segment.regions)

    def describe(
        self,
        features: LocalFeatures,
        networks: Sequence[Vectors],
        regions: Mapping[int, RegionSets] | None = None,
    ) -> Vectors:
        return self._joined([raw[None, :] for raw in networks], regions or {})[0]

    def _joined(self, networks: Sequence[Vectors], regions: Mapping[int, RegionSets]) -> Vectors:
        if len(networks) != len(self._whitenings):
            raise GalleryError(
                f"expected descriptors of {len(self._whitenings)} networks, got {len(networks)}"
            )
        parts = []
        for number, (raw, learnt) in enumerate(zip(networks, self._maps)):
            if number in self._regional and self.adapters[number] is None:
                parts.append(_of(regions, number).summed(learnt))
            else:
                parts.append(whitened(raw, learnt))
        return np.concatenate(parts, axis=1) / np.float32(len(parts) ** 0.5)

    def params(self) -> dict[str, JSON]:
        params: dict[str, JSON] = {"whitenings": [_params(part) for part in self._whitenings]}
        if any(self.adapters):
            params["adapters"] = [_params(part) for part in self.adapters]
        if self._regional:
            params["regional"] = sorted(self._regional)
        return params

    def arrays(self) -> Arrays:
        arrays: Arrays = {}
        for name, parts in (("whitening", self._whitenings), ("adapter", self.adapters)):
            for i, part in enumerate(parts):
                if part is not None:
                    arrays |= add_prefix(f"{name}{i}", part.arrays())
        return arrays

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> CNNEngine:
        check_only(params, {"whitenings", "adapters", "regional"}, "parameters")
        whitenings = _restored(PCA, "whitening", params, arrays)
        if not 0 < len(whitenings) <= MOST_NETWORKS:
            raise FileFormatError(f"parameter 'whitenings': got {len(whitenings)}")
        regional = take_param(params, "regional", list) if "regional" in params else []
        if not all(type(n) is int and 0 <= n < len(whitenings) for n in regional):
            raise FileFormatError(f"parameter 'regional': got {regional!r}")
        if "adapters" not in params:
            return cls(whitenings, (), regional)
        adapters = _restored(Adapter, "adapter", params, arrays)
        if len(adapters) != len(whitenings):
            raise FileFormatError(f"parameter 'adapters': got {len(adapters)}")
        return cls(whitenings, adapters, regional)


def _params(part: PCA | Adapter | None) -> JSON:
    return None if part is None else part.params()


def _restored(
    kind: Any, name: str, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
) -> list[Any]:
    """What a file has of each network, or None."""
    parts = []
    for i, state in enumerate(take_param(params, f"{name}s", list)):
        if not isinstance(state, (dict, type(None))):
            raise FileFormatError(f"parameter '{name}s': got {state!r}")
        own = strip_prefix(f"{name}{i}", arrays)
        parts.append(None if state is None else kind.from_state(state, own))
    return parts


def _networks(segment: PhotoSegment) -> tuple[Vectors, ...]:
    if not segment.networks:
        raise GalleryError("a segment holds no network descriptors")
    return segment.networks


def _of(regions: Mapping[int, RegionSets], number: int) -> RegionSets:
    if number not in regions:
        raise GalleryError(f"no regions of network {number + 1} are kept, which R-MAC needs")
    return regions[number]
