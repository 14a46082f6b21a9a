"""The engine of triangulation embeddings; what it shares with others is in test_pooled."""

from __future__ import annotations

import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import GalleryError
from kinfold.gallery.engines.tembedding import TEmbeddingEngine
from kinfold.gallery.settings import Settings


def test_one_feature_is_too_few(rng, segment) -> None:
    with pytest.raises(GalleryError, match="too few local features"):
        TEmbeddingEngine.learn([segment(rng, [1, 0])], Settings())
