"""SIFT keypoints and descriptors (Lowe 2004), extracted by OpenCV; RootSIFT (Arandjelović & Zisserman 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_count, as_number, as_vectors
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures


class SIFT:
    """Extracts at most ``max_features`` SIFT features, strongest response first.

    Parameters
    ----------
    max_features : at most this many, after duplicates in position, scale and angle are dropped
    contrast_threshold : OpenCV's; lower finds more features in flat regions
    max_side : images with a longer side are reduced first (pixels); None for none

    Lowe, IJCV 2004, as OpenCV has it.

    Examples
    --------
    >>> pixels = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    >>> features = kf.SIFT(max_features=20).extract(pixels)
    >>> features.positions.shape, features.descriptors.shape
    ((20, 2), (20, 128))
    """

    def __init__(
        self,
        *,
        max_features: int = 1000,
        contrast_threshold: float = 0.02,
        max_side: int | None = 800,
    ) -> None:
        self.max_features = as_count(max_features, "max_features", most=1_000_000)
        self.contrast_threshold = as_number(
            contrast_threshold, "contrast_threshold", least=0.0, most=1.0
        )
        self.max_side = None if max_side is None else as_count(max_side, "max_side", least=16)

    def __repr__(self) -> str:
        settings = (
            f"max_features={self.max_features}, contrast_threshold={self.contrast_threshold:g}"
        )
        return f"SIFT({settings}, max_side={self.max_side})"

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes the descriptors: codebooks of one extractor fit no other."""
        return f"sift-opencv-{self.max_features}-{self.contrast_threshold:g}-{self.max_side}"

    def extract(self, pixels: Any) -> LocalFeatures:
        """The features of an image: uint8 (H, W, 3) RGB or (H, W) grey.

        Positions and scales are in pixels of the array given; descriptors uint8 (n, 128). An image
        without structure has none.
        Raises ValueError for other pixels.
        """
        cv2 = require("cv2")
        image = np.asarray(pixels)
        if (
            image.dtype != np.uint8
            or image.ndim not in (2, 3)
            or (image.ndim == 3 and image.shape[2] != 3)
        ):
            raise ValueError(
                f"pixels: expected uint8 (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
            )
        if 0 in image.shape:
            raise ValueError(f"pixels: expected at least one pixel, got shape {image.shape}")
        grey = (
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            if image.ndim == 3
            else np.ascontiguousarray(image)
        )
        height, width = grey.shape
        factors = np.ones(2)
        if self.max_side is not None and max(height, width) > self.max_side:
            reduction = self.max_side / max(height, width)
            size = (max(1, round(width * reduction)), max(1, round(height * reduction)))
            factors = np.array([width / size[0], height / size[1]])
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        # OpenCV keeps too few of several features of equal response; cut to size here, in a fixed order.
        detector = cv2.SIFT_create(
            nfeatures=2 * self.max_features, contrastThreshold=self.contrast_threshold
        )
        keypoints, descriptors = detector.detectAndCompute(grey, None)
        if not keypoints:
            return LocalFeatures(
                np.empty((0, 2), np.float32), np.empty(0, np.float32), np.empty(0, np.float32),
                np.empty((0, 128), np.uint8),
            )  # fmt: skip
        table = np.array(
            [(p.pt[0], p.pt[1], p.size / 2, np.deg2rad(p.angle), p.response) for p in keypoints],
            np.float64,
        )
        order = np.lexsort((table[:, 3], table[:, 0], table[:, 1], -table[:, 4]))
        _, first = np.unique(table[order, :4], axis=0, return_index=True)
        chosen = order[np.sort(first)][: self.max_features]
        table = table[chosen]
        # Pixel centres lie at whole numbers: half a pixel is added before scaling back, and taken off after.
        positions = (table[:, :2] + 0.5) * factors - 0.5
        return LocalFeatures(
            np.ascontiguousarray(positions, np.float32),
            np.ascontiguousarray(table[:, 2] * factors.mean(), np.float32),
            np.ascontiguousarray(table[:, 3], np.float32),
            descriptors[chosen].astype(np.uint8),
        )


def root_sift(descriptors: Any) -> Vectors:
    """RootSIFT: each descriptor divided by its sum, then the square root; float32 (n, d) of length one.

    Euclidean distance of the results is the Hellinger distance of the histograms
    (Arandjelović & Zisserman, CVPR 2012). A zero descriptor stays zero.
    """
    vectors = as_vectors(descriptors, "descriptors", empty=True)
    if vectors.size and vectors.min() < 0:
        raise ValueError("descriptors: expected numbers >= 0")
    sums = vectors.sum(axis=1, keepdims=True)
    shares: NDArray[np.float32] = np.divide(
        vectors, sums, out=np.zeros_like(vectors), where=sums > 0
    )
    return np.sqrt(shares)
