from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
official = pytest.importorskip("safetensors.torch")
from kinfold.features.models.load import in_files, network_of
from kinfold.features.models.spec import Choice, config_of, images_for, maker_of, named
from kinfold.features.preprocess import NAMED


def test_whose_a_model_is(tmp_path) -> None:
    assert maker_of("timm:resnet50") == ("timm", "resnet50")
    assert maker_of("open_clip:hf-hub:a/b") == ("open_clip", "hf-hub:a/b")
    assert maker_of("onnx:a.bin") == ("onnx", "a.bin") and maker_of("A.ONNX") == ("onnx", "A.ONNX")
    plain = tmp_path / "w.safetensors"
    official.save_file({"a": torch.zeros(2)}, plain)
    assert maker_of(plain) == ("", str(plain))
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    assert maker_of(tmp_path / "w.pth")[0] == ""
    official.save_file({"a": torch.zeros(2)}, tmp_path / "t.safetensors", {"maker": "timm"})
    assert maker_of(tmp_path / "t.safetensors")[0] == "timm"
    for name, text, maker in (
        ("open_clip_config.json", '{"model_cfg": {}}', "open_clip"),
        ("config.json", '{"architecture": "x"}', "timm"),
    ):
        folder = tmp_path / maker
        folder.mkdir()
        (folder / name).write_text(text)
        assert maker_of(folder)[0] == maker
    with pytest.raises(ValueError, match="holds no model that is known"):
        maker_of(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="none of the names that are known: efficientnet-lite0"
    ):
        maker_of("resnet50")


def test_damaged_configurations_say_nothing(tmp_path) -> None:
    (tmp_path / "config.json").write_text("[1")
    assert config_of(tmp_path, "config.json") == {} == config_of(tmp_path, "none.json")
    (tmp_path / "config.json").write_text("[1]")
    assert config_of(tmp_path, "config.json") == {}


def test_images() -> None:
    crop = {"input_size": [3, 64, 64], "mean": [0] * 3, "std": [1] * 3, "crop_pct": 1.0}
    choice = Choice(preprocess=crop)
    assert images_for(choice, None, None, maps=True, name="m").size == (64, 64)
    own = images_for(choice, None, None, maps=False, name="m")
    assert images_for(Choice(), own, None, maps=True, name="m").size is None
    assert images_for(Choice(), own, None, maps=False, name="m") == own
    assert images_for(Choice(), NAMED["half"], (8, 9), maps=True, name="m").size == (8, 9)
    with pytest.raises(ValueError, match="m does not say"):
        images_for(Choice(), None, None, maps=True, name="m")


def test_what_is_no_model_of_others_is_read_as_before(tmp_path) -> None:
    trunk = network_of("random", Choice(), architecture="squeezenet1_1")
    assert network_of(trunk, Choice()) is trunk and trunk.maker == ""
    said = network_of("random", Choice(preprocess="half"), architecture="squeezenet1_1")
    assert said.preprocessing == NAMED["half"]
    with pytest.raises(ValueError, match="cls"):
        network_of("random", Choice(pooling="cls"), architecture="squeezenet1_1")
    assert named("random") == "random"
    official.save_file({"a": torch.zeros(2)}, tmp_path / "w")
    with in_files([tmp_path / "w"]) as files:
        assert files == [tmp_path / "w"]
