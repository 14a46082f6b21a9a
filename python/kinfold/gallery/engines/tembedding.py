"""RootSIFT, triangulation embedding, summed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kinfold.aggregate.t_embedding import TEmbedding
from kinfold.base.errors import GalleryError
from kinfold.base.learnt import Part
from kinfold.gallery.engines.base import sample_descriptors
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.descriptors import compared

# Descriptors that the embedding is learnt on, and those for each centroid: it whitens in as many times 128 dimensions.
_LEARNT = 100_000
_PER_CENTROID = 4096


class TEmbeddingEngine(PooledEngine):
    """Jegou & Zisserman, CVPR 2014. Their democratic sum takes a hundred times as long and adds nothing beside ASMK."""

    weight: ClassVar[float] = 0.3
    learnt = Part(TEmbedding, name="tembedding")

    @classmethod
    def fitted(
        cls, segments: list[PhotoSegment], settings: Settings, random: np.random.Generator
    ) -> TEmbedding:
        sample = sample_descriptors(segments, _LEARNT, random)
        distinct = len(np.unique(sample, axis=0))
        if distinct < 2:
            raise GalleryError("the photos have too few local features to learn from")
        k = max(2, min(settings.centroids, distinct // _PER_CENTROID))
        return TEmbedding(k, aggregation="sum", seed=settings.seed).fit(compared(sample))
