"""The engine of a network, and both engines together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("torch")

from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.engines.cnn import CNNEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.images.decode import decode


def segment(rng: np.random.Generator, n: int, *, dims: tuple[int, ...] = (12,)) -> PhotoSegment:
    empty = LocalFeatures(
        np.empty((0, 2), np.float32),
        np.empty(0, np.float32),
        np.empty(0, np.float32),
        np.empty((0, 128), np.uint8),
    )
    raw = [rng.random((n, dim), np.float32) for dim in dims]
    return PhotoSegment.of(list(range(1, n + 1)), [(9, 9, 9, 9)] * n, [empty] * n, raw)


def test_alone_and_together_agree(rng) -> None:
    part = segment(rng, 30)
    engine = CNNEngine.learn([part], Settings(engine="cnn", network_dim=5))
    together = engine.vectors(part)
    assert together.shape == (30, 5)
    for row in range(30):
        alone = engine.describe(part.features(row), [part.networks[0][row]])
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
        engine.vectors(segment(rng, 4, dims=()))
    with pytest.raises(GalleryError, match="descriptors of 1 networks, got 0"):
        engine.describe(part.features(0), [])
    for params in ({"whitenings": []}, {"whitenings": [3]}, {"whitenings": [None] * 9}):
        with pytest.raises(FileFormatError):
            CNNEngine.from_state(params, {})


def test_similarity_is_the_mean_over_networks(rng) -> None:
    part = segment(rng, 20, dims=(12, 7))
    settings = Settings(engine="cnn", network_dim=5)
    engine = CNNEngine.learn([part.select(np.arange(20) < 9), part], settings)
    alone = []
    for raw in part.networks:
        one = PhotoSegment(part.ids, part.frames, part.starts, part.features(0), [raw])
        few = one.select(np.arange(20) < 9)
        alone.append(CNNEngine.learn([few, one], settings).vectors(one))
    vectors = engine.vectors(part)
    assert vectors.shape == (20, 10)
    expected = sum(own @ own.T for own in alone) / 2
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-5)
    again = CNNEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(again.vectors(part), vectors)
    described = engine.describe(part.features(3), [raw[3] for raw in part.networks])
    np.testing.assert_allclose(described, vectors[3], atol=1e-6)


@pytest.mark.parametrize(
    ("engine", "networks"),
    [
        ("cnn", ["squeezenet1_1"]),
        ("both", ["squeezenet1_1"]),
        ("asmk+cnn", ["squeezenet1_1"]),
        ("colour+cnn", ["squeezenet1_1", "mobilenet_v2"]),
    ],
)
def test_galleries_with_real_weights(shared, tmp_path, engine, networks) -> None:
    """Also: the weights are kept in the gallery, and another gallery's model fits."""
    source = shared / "data" / "photos" / "jpg"
    names = [
        f"{thing}_{i:03d}.jpg" for thing in ("apple", "bananas", "fox_head") for i in (1, 2, 3)
    ]
    weights = [tmp_path / f"{name}.safetensors" for name in networks]
    for file in weights:
        file.write_bytes((shared / "data" / "weights" / file.name).read_bytes())
    choices = {"network_side": 224, "network_scales": (1.0,), "max_side": 320, "codewords": 8}
    with Gallery.create(tmp_path / "g.kin", engine=engine, weights=weights, **choices) as gallery:
        gallery.update(source, files=names, verbose=False)
        for file in weights:
            file.unlink()
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
        if "colour" in engine:
            np.testing.assert_array_equal(one.features.colours, two.features.colours)
        assert len(one.features) < len(gallery.describe(pixels).features)
        assert np.abs(one.vector - gallery.describe(pixels).vector).max() > 0.01
        with pytest.raises(ValueError, match="needs a file"):
            Gallery.create(tmp_path / "h.kin", engine=engine)
