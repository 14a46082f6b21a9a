"""The engine of a network, and both engines together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("torch")

from kinfold import Gallery
from kinfold.base.errors import GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.engines.cnn import CNNEngine
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.images.decode import decode


def segment(rng: np.random.Generator, n: int, *, network: bool = True) -> Segment:
    empty = LocalFeatures(
        np.empty((0, 2), np.float32),
        np.empty(0, np.float32),
        np.empty(0, np.float32),
        np.empty((0, 128), np.uint8),
    )
    raw = rng.random((n, 12), np.float32) if network else None
    return Segment.of(list(range(1, n + 1)), [(9, 9, 9, 9)] * n, [empty] * n, raw)


def test_alone_and_together_agree(rng) -> None:
    part = segment(rng, 30)
    engine = CNNEngine.learn([part], Settings(engine="cnn", network_dim=5))
    together = engine.vectors(part)
    assert together.shape == (30, 5)
    for row in range(30):
        alone = engine.describe(part.features(row), part.network[row])
        np.testing.assert_allclose(alone, together[row], atol=1e-6)
    again = CNNEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(again.vectors(part), together)
    few = CNNEngine.learn([segment(rng, 2)], Settings(engine="cnn"))
    assert CNNEngine.from_state(few.params(), few.arrays()).vectors(segment(rng, 2)).shape == (
        2,
        12,
    )


def test_what_is_missing_is_said(rng) -> None:
    part = segment(rng, 4)
    engine = CNNEngine.learn([part], Settings(engine="cnn"))
    with pytest.raises(GalleryError, match="no network"):
        engine.vectors(segment(rng, 4, network=False))
    with pytest.raises(GalleryError, match="missing"):
        engine.describe(part.features(0), None)


@pytest.mark.parametrize("engine", ["cnn", "both", "asmk+cnn"])
def test_galleries_with_real_weights(shared, tmp_path, engine) -> None:
    """Also: the weights are kept in the gallery, and another gallery's model fits."""
    source = shared / "data" / "photos" / "jpg"
    names = [
        f"{thing}_{i:03d}.jpg" for thing in ("apple", "bananas", "fox_head") for i in (1, 2, 3)
    ]
    weights = tmp_path / "net.safetensors"
    weights.write_bytes((shared / "data" / "weights" / "squeezenet1_1.safetensors").read_bytes())
    choices = {"network_side": 224, "network_scales": (1.0,), "max_side": 320, "codewords": 8}
    with Gallery.create(tmp_path / "g.kin", engine=engine, weights=weights, **choices) as gallery:
        gallery.update(source, files=names, verbose=False)
        weights.unlink()
    with Gallery.open(tmp_path / "g.kin") as gallery:
        for name in names[::3]:
            hits = gallery.search(source / name, top=3, rerank=())
            # What an inverted file adds comes near to one only.
            off = 0.1 if "asmk" in engine else 1e-3
            assert hits[0].path == name and hits[0].score == pytest.approx(1, abs=off)
        # A box hides what is outside it from every engine, and from the geometry.
        pixels = decode(source / names[0]).pixels
        height, width = pixels.shape[:2]
        box = (width // 4, height // 4, width // 4 + 160, height // 4 + 160)
        x0, y0, x1, y1 = box
        other = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
        other[y0:y1, x0:x1] = pixels[y0:y1, x0:x1]
        one, two = (gallery.describe(photo, box=box) for photo in (pixels, other))
        np.testing.assert_array_equal(one.vector, two.vector)
        np.testing.assert_array_equal(one.features.positions, two.features.positions)
        np.testing.assert_array_equal(one.features.descriptors, two.features.descriptors)
        assert len(one.features) < len(gallery.describe(pixels).features)
        assert np.abs(one.vector - gallery.describe(pixels).vector).max() > 0.01
        with pytest.raises(ValueError, match="needs a file"):
            Gallery.create(tmp_path / "h.kin", engine=engine)
