"""What finds local features by a network: pixels to points, and these to features in the pixels that were given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.features.forward import inference
from kinfold.features.weights import Weights, read_weights
from kinfold.images.digest import content_digest
from kinfold.images.resize import as_pixels, fit
from kinfold.local.descriptors import signed

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Points:
    """What a network found, strongest first, in pixels of what it saw.

    positions : float32 (n, 2), x and y; a pixel's centre lies at whole numbers
    scores : float32 (n,)
    descriptors : float32 (n, d), of length one
    scales, angles : float32 (n,); None where features have none
    shapes : float32 (n, 2, 2), affine frames; None where features have none
    """

    positions: torch.Tensor
    scores: torch.Tensor
    descriptors: torch.Tensor
    scales: torch.Tensor | None = None
    angles: torch.Tensor | None = None
    shapes: torch.Tensor | None = None


class NetworkExtractor:
    """What extractors by networks share.

    Parameters
    ----------
    weights : the file of the network's trained weights, or several where it needs them
    max_features : at most this many, strongest first
    threshold : the weakest that count, in the network's own scores
    max_side : photos with a longer side are reduced first (pixels); None for none
    """

    name = ""
    # How many files of weights it takes, and what they are, for messages.
    most_files, wanted = 1, "a file of trained weights"
    # The radius, in pixels of what the network sees, of features that have no scale of their own.
    radius = 8.0
    default_threshold = 0.0

    def __init__(
        self,
        weights: AnyPath | Sequence[AnyPath],
        *,
        max_features: int = 1000,
        threshold: float | None = None,
        max_side: int | None = 800,
    ) -> None:
        self.max_features = as_count(max_features, "max_features", most=1_000_000)
        self.threshold = as_number(
            self.default_threshold if threshold is None else threshold,
            "threshold",
            least=0.0,
            most=1.0,
        )
        self.max_side = None if max_side is None else as_count(max_side, "max_side", least=32)
        files = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
        if not 0 < len(files) <= self.most_files:
            raise ValueError(
                f"local_weights: {self.name} needs {self.wanted}, got {len(files)} files"
            )
        self._digest = "-".join(sorted(content_digest(Path(file))[:16] for file in files))
        self.network = self.made([read_weights(file) for file in files])
        self.network.eval().requires_grad_(False)
        self._one_at_a_time = Lock()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(max_features={self.max_features}, threshold={self.threshold:g}, "
            f"max_side={self.max_side})"
        )

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes the descriptors: codebooks of one extractor fit no other."""
        settings = f"{self.max_features}-{self.threshold:g}-{self.max_side}"
        return f"{self.name}-{self._digest}-{settings}"

    def made(self, weights: Sequence[Weights]) -> Any:
        """The network with the weights of each file. Raises FileFormatError where they are not its own."""
        raise NotImplementedError

    def points(self, image: torch.Tensor) -> Points:
        """What is found in an image, float32 (1, 3, h, w) of 0 to 1; called without gradients."""
        raise NotImplementedError

    def extract(self, pixels: Any) -> LocalFeatures:
        """The features of an image: uint8 (H, W, 3) RGB or (H, W) grey.

        Positions and scales are in pixels of the array given; descriptors int8 (n, d), see local.descriptors. An image
        without structure may have none. Raises ValueError for other pixels.
        """
        array = np.asarray(pixels)
        if array.ndim == 2:
            array = np.repeat(array[:, :, None], 3, axis=2)
        array = as_pixels(array)
        height, width = array.shape[:2]
        seen = array if self.max_side is None else fit(array, self.max_side)
        factors = np.array([width / seen.shape[1], height / seen.shape[0]])
        with self._one_at_a_time, inference():
            image = torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1)))[None]
            found = self.points(image.float() / 255)
        return self._features(found, factors)

    def _features(self, found: Points, factors: NDArray[np.float64]) -> LocalFeatures:
        n = len(found.scores)
        positions = (found.positions.double().numpy() + 0.5) * factors - 0.5
        scales = (
            np.full(n, self.radius, np.float32) if found.scales is None else found.scales.numpy()
        )
        shapes = found.shapes
        return LocalFeatures(
            np.ascontiguousarray(positions, np.float32),
            np.ascontiguousarray(scales * factors.mean(), np.float32),
            np.zeros(n, np.float32) if found.angles is None else found.angles.numpy(),
            signed(found.descriptors.numpy()),
            shapes=None
            if shapes is None
            else np.ascontiguousarray(factors[:, None] * shapes.double().numpy(), np.float32),
        )
