"""Local features of one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LocalFeatures:
    """Keypoints with descriptors.

    positions : float32 (n, 2), x and y in pixels of the upright, decoded image that was described
    scales : float32 (n,), keypoint radius in pixels, > 0
    angles : float32 (n,), orientation in radians
    descriptors : (n, d) float32 or uint8, or int8 from networks; see local.descriptors
    shapes : float32 (n, 2, 2) or None, affine frames where the detector finds them: they take the unit circle to the
        feature's ellipse
    colours : uint8 (n, d) or None, the colours around each, see local.colour

    Examples
    --------
    >>> zeros = np.zeros(3, np.float32)
    >>> features = kf.LocalFeatures(np.zeros((3, 2), np.float32), zeros + 1, zeros, np.zeros((3, 128), np.uint8))
    >>> len(features), len(features.select(slice(0, 2)))
    (3, 2)
    """

    positions: NDArray[np.float32]
    scales: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.int8]
    shapes: NDArray[np.float32] | None = None
    colours: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> LocalFeatures:
        """The features of some rows."""
        return LocalFeatures(
            self.positions[rows],
            self.scales[rows],
            self.angles[rows],
            self.descriptors[rows],
            None if self.shapes is None else self.shapes[rows],
            None if self.colours is None else self.colours[rows],
        )

    @classmethod
    def joined(cls, parts: Sequence[LocalFeatures]) -> LocalFeatures:
        """The features of all parts, one behind the other; what one part lacks, all lack."""

        def together(name: str) -> Any:
            arrays = [getattr(part, name) for part in parts]
            return None if any(array is None for array in arrays) else np.concatenate(arrays)

        return cls(*(together(field.name) for field in fields(cls)))
