from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
official = pytest.importorskip("safetensors.torch")
from kinfold.base.errors import FileFormatError
from kinfold.features.extract import Extractor
from kinfold.features.models import timm as ours
from kinfold.features.models.load import in_files

SMALL = {"depth": 1, "embed_dim": 24, "num_heads": 2, "img_size": 64}


def save(model, folder, architecture, **args):
    """As timm's save_for_hf does."""
    folder.mkdir()
    official.save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors"
    )
    config = {"architecture": architecture, "model_args": args, "num_classes": 3}
    cfg = {
        k: v
        for k, v in model.pretrained_cfg.items()
        if isinstance(v, (int, float, str, list, tuple))
    }
    config["pretrained_cfg"] = cfg
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def transformer(timm, tmp_path_factory):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("vit_tiny_patch16_224", num_classes=3, **SMALL).eval()
    model.pretrained_cfg["input_size"] = (3, 64, 64)
    return model, save(
        model, tmp_path_factory.mktemp("timm") / "vit", "vit_tiny_patch16_224", **SMALL
    )


@pytest.fixture(scope="module")
def convolutional(timm, tmp_path_factory):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model("resnet10t", num_classes=3).eval()
    return model, save(model, tmp_path_factory.mktemp("timm") / "cnn", "resnet10t")


def test_the_photo_and_the_features_are_timms_own(timm, transformer, pixels) -> None:
    from PIL import Image

    model, folder = transformer
    extractor = Extractor(folder, pooling="cls")
    assert str(extractor.preprocessing).startswith(
        "crop to 64 x 64 of 71 on the shorter side, bicubic"
    )
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    expected = transform(Image.fromarray(pixels))[None]
    images = extractor._forward.images([extractor._prepared(pixels)])
    torch.testing.assert_close(images, expected, atol=1e-6, rtol=0)
    with torch.inference_mode():
        tokens = model.forward_features(expected)
        pooled = model.forward_head(tokens, pre_logits=True)
    unit = torch.nn.functional.normalize
    np.testing.assert_allclose(extractor.describe(pixels), unit(tokens[0, 0], dim=0), atol=1e-5)
    vector = Extractor(folder, pooling="flatten")
    assert vector.trunk.layer == "pooled" and Extractor(folder, layer="pooled").trunk.codes
    np.testing.assert_allclose(vector.describe(pixels), unit(pooled[0], dim=0), atol=1e-5)


def test_patches_are_maps_of_any_size(transformer, pixels) -> None:
    model, folder = transformer
    extractor = Extractor(folder, pooling="mean", scales=[1.0])
    assert extractor.trunk.step == 16 and extractor.preprocessing.size is None
    assert extractor.maps(pixels).shape == (24, 4, 6)  # of 70 x 90 pixels, which become 64 x 96
    square = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images = extractor._forward.images([square])
    with torch.inference_mode():
        patches = model.forward_features(images)[0, 1:]
    np.testing.assert_allclose(extractor.maps(square).reshape(24, -1).T, patches, atol=1e-5)


def test_maps_of_convolutions(convolutional, pixels) -> None:
    model, folder = convolutional
    extractor = Extractor(folder, scales=[1.0])
    with torch.inference_mode():
        maps = model.forward_features(extractor._forward.images([pixels]))[0]
    np.testing.assert_allclose(extractor.maps(pixels), maps, atol=1e-5)
    assert extractor.pooling == "gem" and extractor.describe(pixels).shape == (512,)
    with pytest.raises(ValueError, match="cls"):
        Extractor(folder, pooling="cls")
    with pytest.raises(
        ValueError, match="layer: expected one of features, pooled of timm's resnet10t"
    ):
        Extractor(folder, layer="layer3")


def test_one_file_and_a_state_dict_give_the_same(
    transformer, convolutional, pixels, tmp_path
) -> None:
    model = convolutional[0]
    for _, folder in (transformer, convolutional):
        whole = Extractor(folder, pooling="mac")
        with in_files([folder]) as (file,):
            copy = Extractor(file, pooling="mac")
            assert copy.fingerprint == whole.fingerprint
            np.testing.assert_array_equal(copy.describe(pixels), whole.describe(pixels))
            with in_files([file]) as (again,):
                assert again == file
    bare = tmp_path / "bare.safetensors"
    official.save_file({k: v.contiguous() for k, v in model.state_dict().items()}, bare)
    assert Extractor(f"timm:resnet10t={bare}", pooling="mac").fingerprint == whole.fingerprint
    with pytest.raises(FileFormatError, match=r"timm:NAME=bare\.safetensors"):
        Extractor(f"timm:{bare}")
    with pytest.raises(FileFormatError, match="not those of timm's resnet18"):
        Extractor(f"timm:resnet18={bare}")


def test_names_and_connections(timm, monkeypatch, tmp_path) -> None:
    with pytest.raises(ValueError, match="timm cannot make 'no_such_network'.*Unknown model"):
        Extractor("timm:no_such_network")

    def offline(name, **options):
        raise OSError("cannot reach the hub\nand more lines")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        ValueError, match="cannot reach the hub; timm:FOLDER.* needs no connection"
    ) as raised:
        Extractor("timm:resnet10t")
    assert len(str(raised.value).splitlines()) == 1
    (tmp_path / "config.json").write_text('{"architecture": "resnet10t"}')
    with pytest.raises(FileNotFoundError, match=r"neither model\.safetensors nor"):
        Extractor(tmp_path)


def test_a_package_that_cannot_be_imported(monkeypatch) -> None:
    from kinfold.base.errors import MissingExtraError
    from kinfold.features.models import torched

    def broken(package):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(torched, "require", broken)
    with pytest.raises(
        MissingExtraError, match="timm cannot be imported: operator.*of one release and build"
    ):
        ours._made("resnet10t", pretrained=False)
