"""The regions of photos as a network described them, one photo behind the other: half precision, of length one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import Arrays, check_starts, take
from kinfold.transform.normalize import l2_normalize

_NAMES = ("starts", "scales", "vectors")


@dataclass(frozen=True)
class RegionSets:
    """The regions of several photos, or of one.

    starts : int64 (n + 1,)     photo i has the rows starts[i] to starts[i + 1]
    scales : uint8 (r,)         at which scale of the network a region was seen, from 0; in this order within a photo
    vectors : float16 (r, d)    the maximum of each map in the region
    """

    starts: Ids
    scales: NDArray[np.uint8]
    vectors: NDArray[np.float16]

    @classmethod
    def of_photo(cls, scales: Sequence[Vectors]) -> RegionSets:
        """One photo, from the regions (r, d) of each scale."""
        counts = [len(regions) for regions in scales]
        numbers = np.repeat(np.arange(len(scales), dtype=np.uint8), counts)
        vectors = np.concatenate(scales).astype(np.float16)
        return cls(np.array([0, len(vectors)], np.int64), numbers, vectors)

    @classmethod
    def joined(cls, parts: Sequence[RegionSets]) -> RegionSets:
        """One behind the other; at least one."""
        counts = np.concatenate([np.diff(part.starts) for part in parts])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        scales = np.concatenate([part.scales for part in parts])
        return cls(starts, scales, np.concatenate([part.vectors for part in parts]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def select(self, photos: Ids) -> RegionSets:
        """Some of the photos, in this order."""
        return (
            RegionSets.joined([self.photo(int(at)) for at in photos])
            if len(photos)
            else self._none()
        )

    def photo(self, at: int) -> RegionSets:
        """One of them."""
        rows = slice(int(self.starts[at]), int(self.starts[at + 1]))
        starts = np.array([0, rows.stop - rows.start], np.int64)
        return RegionSets(starts, self.scales[rows], self.vectors[rows])

    def first_scale(self) -> RegionSets:
        """Those of the first scale alone."""
        kept = self.scales == 0
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return RegionSets(before[self.starts], self.scales[kept], self.vectors[kept])

    def transformed(self, whitening: Any) -> Vectors:
        """The regions, float32 (r, dim) of length one; whitened where there is a whitening."""
        rows = np.asarray(self.vectors, np.float32)
        return l2_normalize(rows if whitening is None else whitening.transform(rows))

    def summed(self, whitening: Any) -> Vectors:
        """R-MAC of each photo, float32 (n, dim): regions whitened, L2, summed; L2; the mean over scales, L2."""
        rows = self.transformed(whitening)
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts))
        groups = owners * 256 + self.scales
        first = np.flatnonzero(np.diff(groups, prepend=-1))
        sums = l2_normalize(np.add.reduceat(rows, first, axis=0)) if len(first) else rows
        total = np.zeros((len(self), rows.shape[1]), np.float32)
        np.add.at(total, owners[first], sums)
        return l2_normalize(total)

    def arrays(self) -> Arrays:
        """By name, for a file."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n: int) -> RegionSets:
        """Of n photos, from a file. Raises FileFormatError."""
        if set(arrays) != set(_NAMES):
            raise FileFormatError(f"arrays: expected {', '.join(_NAMES)} of regions")
        vectors = take(arrays, "vectors", np.float16, (None, None))
        starts = take(arrays, "starts", np.int64, (n + 1,))
        check_starts(starts, len(vectors), "starts")
        scales = take(arrays, "scales", np.uint8, (len(vectors),))
        if (starts[1:] == starts[:-1]).any() or scales[starts[:-1]].any():
            raise FileFormatError(
                "array 'starts': expected regions of the first scale of each photo"
            )
        return cls(starts, scales, vectors)

    def _none(self) -> RegionSets:
        return RegionSets(np.zeros(1, np.int64), self.scales[:0], self.vectors[:0])
