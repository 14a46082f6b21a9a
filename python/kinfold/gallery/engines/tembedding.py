"""RootSIFT, triangulation embedding with democratic aggregation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kinfold.base.errors import GalleryError
from kinfold.gallery.engines.base import sample_descriptors
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.local.sift import root_sift
from kinfold.local.t_embedding import TEmbedding

# Descriptors that the embedding is learnt on.
_LEARNT = 100_000


class TEmbeddingEngine(PooledEngine):
    """Jegou & Zisserman, CVPR 2014."""

    weight: ClassVar[float] = 0.3
    name = "tembedding"
    pooling = TEmbedding

    @classmethod
    def fitted(
        cls, segments: list[Segment], settings: Settings, random: np.random.Generator
    ) -> TEmbedding:
        sample = sample_descriptors(segments, _LEARNT, random)
        distinct = len(np.unique(sample, axis=0))
        if distinct < 2:
            raise GalleryError("the photos have too few local features to learn from")
        k = min(settings.centroids, distinct)
        return TEmbedding(k, seed=settings.seed).fit(root_sift(sample))
