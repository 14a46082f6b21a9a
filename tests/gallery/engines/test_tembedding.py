"""The engine of triangulation embeddings."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.engines.tembedding import TEmbeddingEngine
from kinfold.gallery.settings import Settings


def test_alone_and_together_agree(rng, segment) -> None:
    parts = [segment(rng, [40, 30, 0]), segment(rng, [25, 60], 4)]
    engine = TEmbeddingEngine.learn(parts, Settings(centroids=2, dim=3))
    together = np.concatenate([engine.vectors(part) for part in parts])
    alone = [
        engine.describe(part.features(row), None) for part in parts for row in range(len(part))
    ]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_state_comes_back(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 10])
    engine = TEmbeddingEngine.learn([part], Settings(centroids=2, dim=2))
    again = TEmbeddingEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(engine.vectors(part), again.vectors(part))
    with pytest.raises(FileFormatError):
        TEmbeddingEngine.from_state({**engine.params(), "wings": 2}, engine.arrays())


@pytest.mark.parametrize("counts", [[0, 0], [1, 0]])
def test_nothing_to_learn_from(rng, segment, counts) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        TEmbeddingEngine.learn([segment(rng, counts)], Settings())
