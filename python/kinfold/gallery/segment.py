"""What was found in a few dozen photos: local features and a network's descriptors. Never changed once written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    check_starts,
    strip_prefix,
    take,
)
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.settings import MOST_NETWORKS
from kinfold.local.colour import WIDTH

# What files call the descriptors of the networks.
_NETWORKS = tuple(f"network{i}" if i else "network" for i in range(MOST_NETWORKS))


class PhotoSegment(Restorable):
    """Photos with their local features, one behind the other.

    ids : int64 (n,)            the photos' ids
    frames : int32 (n, 4)       width and height of the upright original, then of what was described
    starts : int64 (n + 1,)     photo i has the features starts[i] to starts[i + 1]
    positions : float32 (f, 2); scales, angles : float32 (f,); descriptors : uint8 or int8 (f, d), see local.descriptors
    colours : uint8 (f, 27) or none, see local.colour
    networks : float32 (n, d), one array for each network
    regions : of the networks that they are kept of, by the network's number
    """

    kind: ClassVar[str] = "gallery.Segment"

    def __init__(
        self,
        ids: Ids,
        frames: NDArray[np.int32],
        starts: Ids,
        features: LocalFeatures,
        networks: Sequence[Vectors] = (),
        regions: Mapping[int, RegionSets] | None = None,
    ) -> None:
        self.ids, self.frames, self.starts, self.networks = ids, frames, starts, tuple(networks)
        self.regions = dict(regions or {})
        self._all = features

    @classmethod
    def of(
        cls,
        ids: Sequence[int],
        frames: Sequence[tuple[int, int, int, int]],
        features: Sequence[LocalFeatures],
        networks: Sequence[Vectors] = (),
        regions: Mapping[int, RegionSets] | None = None,
    ) -> PhotoSegment:
        """From photos one by one; at least one."""
        starts = np.concatenate([[0], np.cumsum([len(f) for f in features])]).astype(np.int64)
        joined = LocalFeatures.joined(features)
        sides = np.array(frames, np.int32)
        return cls(np.array(ids, np.int64), sides, starts, joined, networks, regions)

    def __len__(self) -> int:
        return len(self.ids)

    def holds(self, id: int, row: int | None) -> bool:
        """Whether that row is of that photo."""
        return row is not None and row < len(self.ids) and bool(self.ids[row] == id)

    @property
    def descriptors(self) -> NDArray[Any]:
        """Of all photos, uint8 or int8 (f, d)."""
        return self._all.descriptors

    @property
    def colours(self) -> NDArray[np.uint8] | None:
        """Of all photos, uint8 (f, d), where the gallery compares them."""
        return self._all.colours

    def features(self, row: int) -> LocalFeatures:
        """The local features of one photo."""
        return self._all.select(slice(int(self.starts[row]), int(self.starts[row + 1])))

    def select(self, keep: NDArray[np.bool_]) -> PhotoSegment:
        """Some of the photos."""
        if keep.all():
            return self
        rows = np.flatnonzero(keep)
        networks = [held[rows] for held in self.networks]
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[rows])]).astype(np.int64)
        chosen = np.repeat(keep, np.diff(self.starts))
        regions = {number: held.select(rows) for number, held in self.regions.items()}
        return PhotoSegment(
            self.ids[rows], self.frames[rows], starts, self._all.select(chosen), networks, regions
        )

    def params(self) -> dict[str, JSON]:
        return {}

    def arrays(self) -> Arrays:
        arrays: Arrays = {
            "ids": self.ids,
            "frames": self.frames,
            "starts": self.starts,
            "positions": self._all.positions,
            "scales": self._all.scales,
            "angles": self._all.angles,
            "descriptors": self._all.descriptors,
        }
        if self.colours is not None:
            arrays["colours"] = self.colours
        for number, held in self.regions.items():
            arrays |= add_prefix(f"regions{number}", held.arrays())
        return arrays | dict(zip(_NETWORKS, self.networks))

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> PhotoSegment:
        check_only(params, set(), "parameters")
        known = {
            "ids",
            "frames",
            "starts",
            "positions",
            "scales",
            "angles",
            "descriptors",
            "colours",
            *_NETWORKS,
        }
        kept = {n: strip_prefix(f"regions{n}", arrays) for n in range(MOST_NETWORKS)}
        known |= {f"regions{n}.{name}" for n, own in kept.items() for name in own}
        check_only(arrays, known, "arrays")
        ids = take(arrays, "ids", np.int64, (None,))
        starts = take(arrays, "starts", np.int64, (len(ids) + 1,))
        signed = "descriptors" in arrays and arrays["descriptors"].dtype == np.int8
        descriptors = take(arrays, "descriptors", np.int8 if signed else np.uint8, (None, None))
        f = len(descriptors)
        check_starts(starts, f, "starts")
        features = LocalFeatures(
            take(arrays, "positions", np.float32, (f, 2)),
            take(arrays, "scales", np.float32, (f,)),
            take(arrays, "angles", np.float32, (f,)),
            descriptors,
            colours=take(arrays, "colours", np.uint8, (f, WIDTH)) if "colours" in arrays else None,
        )
        names = [name for name in _NETWORKS if name in arrays]
        if names != list(_NETWORKS[: len(names)]):
            raise FileFormatError(f"arrays: expected the networks in order, got {', '.join(names)}")
        networks = [take(arrays, name, np.float32, (len(ids), None)) for name in names]
        frames = take(arrays, "frames", np.int32, (len(ids), 4))
        if len(frames) and frames.min() < 1:
            raise FileFormatError("frames: expected sides of at least one pixel")
        if any(own and n >= len(networks) for n, own in kept.items()):
            raise FileFormatError("arrays: regions of a network that there is not")
        regions = {n: RegionSets.from_arrays(own, len(ids)) for n, own in kept.items() if own}
        return cls(ids, frames, starts, features, networks, regions)
