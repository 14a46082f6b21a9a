"""Segments of random photos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture
def segment() -> Callable[..., object]:
    """segment(rng, counts, first): photos with these numbers of features."""
    pytest.importorskip("cv2")
    from kinfold.base.local_features import LocalFeatures
    from kinfold.gallery.segment import PhotoSegment

    def made(rng: np.random.Generator, counts: list[int], first: int = 1) -> PhotoSegment:
        photos = [
            LocalFeatures(
                rng.random((n, 2), np.float32), np.ones(n, np.float32), np.zeros(n, np.float32),
                rng.integers(0, 200, (n, 128), np.uint8),
                colours=rng.integers(0, 256, (n, 27), np.uint8),
            )
            for n in counts
        ]  # fmt: skip
        ids = list(range(first, first + len(counts)))
        return PhotoSegment.of(ids, [(10, 10, 10, 10)] * len(counts), photos)

    return made
