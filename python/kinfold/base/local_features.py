"""Local features of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LocalFeatures:
    """Keypoints with descriptors.

    positions : float32 (n, 2), x and y in pixels of the upright, decoded image that was described
    scales : float32 (n,), keypoint radius in pixels, > 0
    angles : float32 (n,), orientation in radians
    descriptors : (n, d) float32 or uint8
    shapes : float32 (n, 2, 2) or None, affine frames where the detector finds them: they take the unit circle to the
        feature's ellipse
    """

    positions: NDArray[np.float32]
    scales: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.float32] | NDArray[np.uint8]
    shapes: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> LocalFeatures:
        """The features of some rows."""
        return LocalFeatures(
            self.positions[rows],
            self.scales[rows],
            self.angles[rows],
            self.descriptors[rows],
            None if self.shapes is None else self.shapes[rows],
        )
