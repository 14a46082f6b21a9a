"""Descriptors of a gallery's networks: those that segments hold, by id."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
from kinfold import Gallery

from ..conftest import small_photos


def test_they_are_what_the_network_gives(tmp_path) -> None:
    from kinfold.features.extract import Extractor
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    weights = tmp_path / "net.safetensors"
    save_weights(weights, random_network("compact", 0), "compact")
    given = {"network_side": 64, "network_scales": (1.0,), "max_features": 40}
    photos = small_photos(tmp_path / "photos", 3)
    with Gallery.create(tmp_path / "g.kin", engine="cnn", weights=weights, **given) as gallery:
        gallery.update(photos, verbose=False)
        (photos / "1.jpg").unlink()
        small_photos(photos, 2, first=3)
        gallery.update(photos, verbose=False)
        ids, vectors = gallery.descriptors()
        paths = [gallery.photo(int(id)).path for id in ids]
        assert (np.diff(ids) > 0).all() and sorted(paths) == ["0.jpg", "2.jpg", "3.jpg", "4.jpg"]
        extractor = Extractor(weights, scales=(1.0,), max_side=64)
        for path, vector in zip(paths, vectors):
            assert np.allclose(extractor.describe(photos / path), vector, atol=1e-6)
        assert [file.read_bytes() for file in gallery.weights] == [weights.read_bytes()]
