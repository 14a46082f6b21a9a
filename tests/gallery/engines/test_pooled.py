"""What all engines have in common that pool local features into one vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.engines.fisher import FisherEngine
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.engines.tembedding import TEmbeddingEngine
from kinfold.gallery.engines.vlad import VLADEngine
from kinfold.gallery.settings import Settings

SMALL: dict[type[PooledEngine], dict[str, Any]] = {
    VLADEngine: {"codewords": 4},
    FisherEngine: {"codewords": 8},
    TEmbeddingEngine: {"centroids": 2},
}
engines = pytest.mark.parametrize("engine", SMALL)


@engines
def test_alone_and_together_agree(engine, rng, segment) -> None:
    parts = [segment(rng, [40, 30, 0]), segment(rng, [25, 60], 4)]
    learnt = engine.learn(parts, Settings(**SMALL[engine], dim=3))
    together = np.concatenate([learnt.vectors(part) for part in parts])
    alone = [learnt.describe(part.features(row)) for part in parts for row in range(len(part))]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


@engines
def test_state_comes_back(engine, rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 10])
    learnt = engine.learn([part], Settings(**SMALL[engine], dim=2))
    again = engine.from_state(learnt.params(), learnt.arrays())
    np.testing.assert_array_equal(learnt.vectors(part), again.vectors(part))
    with pytest.raises(FileFormatError):
        engine.from_state({**learnt.params(), "wings": 2}, learnt.arrays())


@engines
def test_nothing_to_learn_from(engine, rng, segment) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        engine.learn([segment(rng, [0, 0])], Settings())


@pytest.mark.parametrize("engine", ["bow", "vlad", "fisher", "tembedding", "colour"])
@pytest.mark.parametrize("features", [20, 60, 200])
@pytest.mark.parametrize("photos", [1, 2, 3])
def test_few_features_are_learnt_from_too(tmp_path, engine, features, photos) -> None:
    """Words or directions without number leave nothing of a photo: all would be alike, and ranked by their ids."""
    from kinfold import Gallery

    from ..conftest import noise, small_photos

    small_photos(tmp_path / "photos", photos)
    with Gallery.create(tmp_path / "g.kin", engine=engine, max_features=features) as gallery:
        gallery.update(tmp_path / "photos", verbose=False)
        for number in range(photos if engine != "bow" else 0):
            hits = gallery.search(tmp_path / "photos" / f"{number}.jpg", rerank=())
            assert hits[0].path == f"{number}.jpg"
            assert photos == 1 or hits[0].score == pytest.approx(1, abs=1e-3)
        assert len(gallery.search(noise(0))) == photos
