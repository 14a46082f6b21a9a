from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
official = pytest.importorskip("safetensors.torch")
from kinfold.base.errors import FileFormatError
from kinfold.features.extract import Extractor
from kinfold.features.models.load import in_files

MODEL = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 64, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
}
IMAGES = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.25, 0.3]}


@pytest.fixture(scope="module")
def clip(open_clip, tmp_path_factory):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.CLIP(**MODEL).eval()
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    folder.mkdir()
    config = {"model_cfg": MODEL, "preprocess_cfg": IMAGES}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
    official.save_file(tensors, folder / "open_clip_model.safetensors")
    return model, folder


def test_the_embedding_is_open_clips_own(open_clip, clip, pixels) -> None:
    from PIL import Image

    model, folder = clip
    extractor = Extractor(folder)
    assert extractor.trunk.codes and extractor.scales == (1.0,)
    transform = open_clip.image_transform(64, is_train=False, **IMAGES)
    expected = transform(Image.fromarray(pixels))[None]
    images = extractor._forward.images([extractor._prepared(pixels)])
    torch.testing.assert_close(images, expected, atol=1e-6, rtol=0)
    with torch.inference_mode():
        vector = model.encode_image(expected, normalize=True)[0]
    np.testing.assert_allclose(extractor.describe(pixels), vector, atol=1e-5)


def test_patches_and_one_file(clip, pixels) -> None:
    _, folder = clip
    tokens = Extractor(folder, layer="tokens", pooling="mean")
    assert tokens.maps(pixels).shape == (32, 4, 4) and tokens.trunk.layer == "tokens"
    with in_files([folder]) as (file,):
        for options in ({}, {"layer": "tokens", "pooling": "mean"}):
            copy, whole = Extractor(file, **options), Extractor(folder, **options)
            assert copy.fingerprint == whole.fingerprint
            np.testing.assert_array_equal(copy.describe(pixels), whole.describe(pixels))
        # The part that looks at texts is left out.
        assert file.stat().st_size < (folder / "open_clip_model.safetensors").stat().st_size


def test_what_is_wrong_is_told(open_clip, clip, tmp_path, monkeypatch) -> None:
    _, folder = clip
    for options, message in (
        ({"layer": "text"}, "layer: expected one of embedding, tokens"),
        ({"pooling": "cls"}, "pooling"),
        ({"pooling": "gem"}, "pooling: expected 'flatten' for codes"),
    ):
        with pytest.raises(ValueError, match=message):
            Extractor(folder, **options)
    with pytest.raises(ValueError, match="expected open_clip:NAME/TAG"):
        Extractor("open_clip:RN50")

    def offline(*_, **__):
        raise OSError("cannot reach the hub")

    monkeypatch.setattr(open_clip, "create_model", offline)
    with pytest.raises(
        ValueError, match="cannot reach the hub; open_clip:FOLDER.*needs no connection"
    ):
        Extractor("open_clip:ViT-B-32/laion2b_s34b_b79k")
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 3}}')
    with pytest.raises(FileNotFoundError, match="holds none of open_clip_model"):
        Extractor(tmp_path)
    official.save_file({"a": torch.zeros(1)}, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(FileFormatError, match="open_clip cannot build it"):
        Extractor(tmp_path)
