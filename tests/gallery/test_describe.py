"""Photos described by any layer of a network."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.features.extract import Extractor
from kinfold.features.neural_codes import neural_codes
from kinfold.features.weights import network, random_network, read_weights
from kinfold.gallery.settings import Settings
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.learn.checkpoint import save_weights

SIDE = 96
CHEAP = {"engine": "cnn", "network_side": SIDE, "network_scales": (1.0,), "square_side": 64}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(file, random_network("compact", 3), "compact")
    return file


def made(path, photos, weights, **settings) -> Gallery:
    files = [f"scene{s}/view{v}.jpg" for s in range(2) for v in range(3)]
    gallery = Gallery.create(path, weights=weights, **CHEAP, **settings)
    gallery.update(photos, files=files, verbose=False)
    return gallery


@pytest.mark.parametrize(
    ("settings", "extractor"),
    [
        (
            {"layer": "features.7", "pooling": "spoc"},
            lambda w: Extractor(w, layer="features.7", pooling="spoc", scales=(1.0,), max_side=SIDE),
        ),
        ({"layer": "features.9"}, lambda w: Extractor(w, layer="features.9", scales=(1.0,), max_side=SIDE)),
        ({"layer": "flatten"}, lambda w: neural_codes(w, layer="flatten", side=64)),
        ({"pooling": "flatten"}, lambda w: neural_codes(w, layer="conv5", side=64)),
        ({"layer": "features.8", "pooling": "flatten"}, lambda w: neural_codes(w, layer="features.8", side=64)),
    ],
    ids=["spoc", "gem", "codes", "flat maps", "flat inner maps"],
)  # fmt: skip
def test_a_layer_by_name(settings, extractor, weights, rendered, tmp_path) -> None:
    alone = extractor(weights)
    with made(tmp_path / "g.kin", rendered, weights, **settings) as gallery:
        ids, raw = gallery.descriptors()
        assert raw.shape == (6, alone.dim)
        for id, row in zip(ids.tolist(), raw):
            pixels = decode(rendered / gallery.photo(id).path).pixels
            assert np.allclose(row, alone.describe(fit(pixels, SIDE)), atol=2e-2)
            near = raw @ alone.describe(fit(pixels, SIDE))
            assert ids[near.argmax()] == id
        hits = gallery.search(rendered / "scene1" / "view0.jpg", rerank=(), top=3)
        assert hits[0].path == "scene1/view0.jpg" and hits[0].score > 0.99
    with Gallery.open(tmp_path / "g.kin") as again:  # stored, and new photos are described alike
        assert again.settings.layer == settings.get("layer")
        assert again.update(rendered, verbose=False).added == 14


def test_two_networks_by_two_layers(weights, rendered, tmp_path) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(other, random_network("squeezenet1_1", 1), "squeezenet1_1")
    layers = {"layer": "flatten+fire9", "pooling": "flatten+spoc"}
    with pytest.raises(
        ValueError, match="pooling: expected none, or flatten, as flatten gives codes"
    ):
        made(tmp_path / "g.kin", rendered, [weights, other], **{**layers, "pooling": "gem+spoc"})
    with made(tmp_path / "g.kin", rendered, [weights, other], **layers) as gallery:
        assert gallery.descriptors(0)[1].shape[1] == 128
        assert gallery.descriptors(1)[1].shape[1] == 512
        query = gallery.describe(rendered / "scene0" / "view1.jpg")
        answer = gallery.answer(query)  # codes have no places to look at
        assert answer.attention is None


def test_what_is_wrong_is_said_before_anything_is_written(weights, tmp_path) -> None:
    for settings, message in (
        ({"layer": "fc6"}, r"layer: expected one of conv5, or a module: features.0 to features.14, "),
        ({"layer": "flatten", "pooling": "gem"}, "pooling: expected none, or flatten, as flatten gives codes"),
        ({"layer": "conv5+conv5+conv5"}, "layer: expected one, or one for each of 1 networks, got 3"),
        ({"layer": "a b"}, "layer: expected names of layers"),
        ({"square_side": 8}, "square_side: "),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Gallery.create(tmp_path / "g.kin", weights=weights, **{**CHEAP, **settings})
    with pytest.raises(ValueError, match="layer: the engine 'vlad' uses no network"):
        Gallery.create(tmp_path / "g.kin", engine="vlad", layer="conv5")
    assert not (tmp_path / "g.kin").exists()


def test_a_gallery_of_before_has_the_default(weights, rendered, tmp_path) -> None:
    with made(tmp_path / "g.kin", rendered, weights) as gallery:
        before = gallery.descriptors()[1]
    file = tmp_path / "g.kin" / "MANIFEST.json"
    manifest = json.loads(file.read_text())
    for name in ("layer", "square_side"):
        del manifest["settings"][name]
    assert Settings.from_dict(manifest["settings"]).layer is None
    with pytest.raises(FileFormatError, match="another version"):
        Settings.from_dict({k: v for k, v in manifest["settings"].items() if k != "dim"})
    assert before.shape == (6, 128)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("squeezenet1_1", "features.7"), ("squeezenet1_1", "classifier.2"), ("mobilenet_v2", "features.12")],
)  # fmt: skip
def test_inner_layers_of_trained_networks(name, layer, shared, rendered, tmp_path) -> None:
    """Against what a hook hears inside of the whole network."""
    trained = shared / "data" / "weights" / f"{name}.safetensors"
    net, heard = network(read_weights(trained)), []
    net.get_submodule(layer).register_forward_hook(lambda *given: heard.append(given[2]))
    with made(tmp_path / "g.kin", rendered, trained, layer=layer) as gallery:
        ids, raw = gallery.descriptors()
        pixels = fit(decode(rendered / gallery.photo(int(ids[0])).path).pixels, SIDE)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    net((x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1))
    pooled = (heard[0].clamp(min=1e-6) ** 3).mean((2, 3))[0] ** (1 / 3)
    assert np.allclose(raw[0], pooled / pooled.norm(), atol=2e-2)
    assert float(torch.from_numpy(raw[0]) @ pooled / pooled.norm()) > 0.999


def test_a_layer_in_a_manifest_that_no_network_has(weights, rendered, tmp_path) -> None:
    with made(tmp_path / "g.kin", rendered, weights) as gallery:
        assert len(gallery) == 6
    file = tmp_path / "g.kin" / "MANIFEST.json"
    file.write_text(file.read_text().replace('"layer": null', '"layer": "fc9"'))
    with (
        Gallery.open(tmp_path / "g.kin") as gallery,
        pytest.raises((FileFormatError, GalleryError)),
    ):
        gallery.search(rendered / "scene0" / "view0.jpg")
