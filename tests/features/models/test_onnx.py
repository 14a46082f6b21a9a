from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import kinfold as kf
from kinfold.base.errors import FileFormatError
from kinfold.features.backbones.cut import cut
from kinfold.features.explain import explain_match, sparse_channels
from kinfold.features.extract import Extractor
from kinfold.features.weights import random_network

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def squeezenet(to_onnx, tmp_path_factory):
    return to_onnx(
        cut(random_network("squeezenet1_1", 0)), tmp_path_factory.mktemp("onnx") / "s.onnx"
    )


@pytest.mark.parametrize("pooling", ["gem", "mac", "mean", "spoc-centre", "crow", "rmac"])
def test_a_network_of_ours_as_onnx_gives_the_same_descriptors(pooling, squeezenet, pixels) -> None:
    ours = Extractor("random", architecture="squeezenet1_1", pooling=pooling, max_side=80)
    theirs = Extractor(squeezenet, pooling=pooling, max_side=80, preprocess="imagenet")
    assert np.abs(ours.describe(pixels) - theirs.describe(pixels)).max() < 1e-4
    assert theirs.scales == ours.scales and theirs.pooling == ours.pooling


def test_explanations_and_regions_work_there_too(squeezenet, pixels) -> None:
    ours = Extractor("random", architecture="squeezenet1_1", pooling="mac")
    theirs = Extractor(squeezenet, pooling="mac", preprocess="imagenet")
    a, b = explain_match(ours, pixels, pixels[::-1]), explain_match(theirs, pixels, pixels[::-1])
    np.testing.assert_array_equal(a.components, b.components)
    np.testing.assert_allclose(a.contributions, b.contributions, atol=1e-4)
    boxes = sparse_channels(theirs, pixels, count=2).boxes
    assert all((part >= 0).all() and (part <= [90, 70, 90, 70]).all() for part in boxes)
    for options in ({}, {"source": "photo", "side": 64, "grid": 2}):
        regional = [kf.RegionalExtractor(e, **options).describe(pixels) for e in (ours, theirs)]
        np.testing.assert_allclose(*regional, atol=1e-4)


def test_it_needs_no_torch(squeezenet) -> None:
    code = (
        "import sys, numpy as np; sys.modules['torch'] = None\n"
        "from kinfold.features.extract import Extractor\n"
        f"e = Extractor({str(squeezenet)!r}, preprocess='imagenet', pooling='rmac')\n"
        "print(e.describe(np.zeros((40, 50, 3), np.uint8)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(512,)", done.stderr


def test_a_bare_file_asks_what_images_it_expects(to_onnx, maps_network, pixels, tmp_path) -> None:
    path = to_onnx(maps_network, tmp_path / "m.onnx")
    with pytest.raises(
        ValueError, match=r"m\.onnx does not say what images it expects; preprocess=FILE"
    ):
        Extractor(path)
    side = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"shortest_edge": 64},
            "do_center_crop": True, "crop_size": 64}  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(side))
    told = Extractor(path, pooling="mac")
    # Of maps of any size the numbers count, and the aspect is kept.
    assert told.preprocessing.size is None and told.preprocessing.std == (0.25,) * 3
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.25
    whole = Extractor(path, pooling="mac", scales=[1])
    expected = maps_network(x).amax((2, 3))[0].numpy()
    np.testing.assert_allclose(
        whole.describe(pixels), expected / np.linalg.norm(expected), atol=1e-5
    )
    # What the caller says counts, its size too.
    said = Extractor(path, preprocess={**IMAGENET, "size": 64})
    assert said.preprocessing.fit == "warp" and said.scales == (1.0,)
    assert said.fingerprint != Extractor(path, preprocess={**IMAGENET, "size": 72}).fingerprint


def test_one_size_and_one_image_at_a_time(to_onnx, maps_network, pixels, tmp_path) -> None:
    path = to_onnx(maps_network, tmp_path / "m.onnx", free=())
    fixed = Extractor(path, preprocess="imagenet", pooling="mac")
    assert fixed.preprocessing.size == (64, 64) and fixed.scales == (1.0,)
    both = fixed.describe_all([pixels, pixels[::-1]], verbose=False)
    np.testing.assert_allclose(both[0], fixed.describe(pixels), atol=1e-6)
    with pytest.raises(ValueError, match="takes images of 64 x 64 pixels alone, not 32 x 32"):
        Extractor(path, preprocess={**IMAGENET, "size": 32})
    with pytest.raises(ValueError, match=r"scales: expected one scale"):
        Extractor(path, preprocess="imagenet", scales=[1, 0.5])


def test_outputs_by_name_and_by_rank(to_onnx, tokens_network, pixels, tmp_path) -> None:
    path = to_onnx(tokens_network, tmp_path / "t.onnx", free=(0,), outputs=("tokens", "vector"))
    x = Extractor(path, preprocess="half", pooling="cls")
    images = torch.from_numpy(x._forward.images([x._prepared(pixels)]))
    tokens, vector = (t[0].numpy() for t in tokens_network(images))

    def unit(v):
        return v / np.linalg.norm(v)

    np.testing.assert_allclose(x.describe(pixels), unit(tokens[0]), atol=1e-5)
    for options in ({"pooling": "flatten"}, {"layer": "vector"}):
        chosen = Extractor(path, preprocess="half", **options)
        assert chosen.trunk.layer == "vector" and chosen.pooling == "flatten"
        np.testing.assert_allclose(chosen.describe(pixels), unit(vector), atol=1e-5)
    patches = Extractor(path, preprocess="half", pooling="mean")
    assert patches.maps(pixels).shape == (6, 8, 8)
    np.testing.assert_allclose(patches.maps(pixels).reshape(6, -1), tokens[1:].T, atol=1e-5)
    np.testing.assert_allclose(patches.describe(pixels), unit(tokens[1:].mean(axis=0)), atol=1e-5)
    with pytest.raises(ValueError, match=r"several outputs.*tokens \(tokens\), vector \(vectors\)"):
        Extractor(path, preprocess="half")
    with pytest.raises(ValueError, match="layer: expected one of the outputs tokens, vector"):
        Extractor(path, preprocess="half", layer="logits")
    with pytest.raises(ValueError, match="cls"):
        Extractor(path, preprocess="half", pooling="cls", layer="vector")


def graph_of(tmp_path, *, shape, kind=onnx.TensorProto.FLOAT, opset=18, last=False):
    """A file with one global mean over the places, made by hand."""
    from onnx import helper

    axes = helper.make_tensor("axes", onnx.TensorProto.INT64, [2], [1, 2] if last else [2, 3])
    node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    image = helper.make_tensor_value_info("x", kind, shape)
    vector = helper.make_tensor_value_info("y", kind, [shape[0], 3])
    graph = helper.make_graph([node], "g", [image], [vector], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, str(tmp_path / "g.onnx"))
    return tmp_path / "g.onnx"


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16])
@pytest.mark.parametrize("last", [False, True])
def test_axes_by_shape_and_half_precision(kind, last, pixels, tmp_path) -> None:
    shape = ["n", 32, 32, 3] if last else ["n", 3, 32, 32]
    path = graph_of(tmp_path, shape=shape, kind=kind, last=last)
    extractor = Extractor(path, preprocess="unit")
    mean = extractor._prepared(pixels).reshape(-1, 3).mean(axis=0) / 255
    got = extractor.describe(pixels)
    assert got.dtype == np.float32 and extractor.trunk.codes
    np.testing.assert_allclose(got, mean / np.linalg.norm(mean), atol=2e-3)


def test_eight_bit_weights(to_onnx, maps_network, pixels, tmp_path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    path = to_onnx(maps_network, tmp_path / "m.onnx", free=())
    quantization.quantize_dynamic(path, tmp_path / "q.onnx")
    full, small = (
        Extractor(tmp_path / name, preprocess="imagenet").describe(pixels)
        for name in ("m.onnx", "q.onnx")
    )
    assert float(full @ small) > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": ["n", 3, 32, 32], "opset": 99}, r"g\.onnx: onnxruntime .* cannot run it: "),
        ({"shape": ["n", 3, 32, "w"]}, "expected both sides or none fixed"),
        ({"shape": ["n", 1, 32, 32]}, r"expected one input, images \(n, 3, h, w\)"),
        (
            {"shape": ["n", 3, 32, 32], "kind": onnx.TensorProto.DOUBLE},
            "expected float32 or float16",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(change, message, tmp_path) -> None:
    path = graph_of(tmp_path, **change)
    with pytest.raises((ValueError, FileFormatError), match=message) as raised:
        Extractor(path, preprocess="imagenet")
    assert len(str(raised.value).splitlines()) == 1


def test_other_files_and_choices(squeezenet, tmp_path, monkeypatch) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(FileFormatError, match=r"bad\.onnx: onnxruntime"):
        Extractor(tmp_path / "bad.onnx", preprocess="imagenet")
    with pytest.raises(FileNotFoundError, match="no such file"):
        Extractor(tmp_path / "none.onnx", preprocess="imagenet")
    for options, message in (
        ({"device": "cuda"}, "device"), ({"precision": "bfloat16"}, "precision"),
        ({"architecture": "alexnet"}, "architecture"), ({"side": 64}, "side: expected none"),
        ({"pooling": "cls"}, "pooling"), ({"pooling": torch.nn.Identity()}, "pooling"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Extractor(squeezenet, preprocess="imagenet", **options)
    made = Extractor(squeezenet, preprocess="imagenet", antialias=False)
    with pytest.raises(ValueError, match="antialias"):
        made.describe(np.zeros((40, 40, 3), np.uint8))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        kf.base.errors.MissingExtraError, match=r"pip install 'kinfold\[onnxruntime\]'"
    ):
        Extractor(squeezenet, preprocess="imagenet")


def test_weights_beside_the_file_are_put_inside(to_onnx, maps_network, pixels, tmp_path) -> None:
    from kinfold.features.models.load import in_files

    path = to_onnx(maps_network, tmp_path / "m.onnx")
    model = onnx.load(str(path))
    (tmp_path / "apart").mkdir()
    apart = tmp_path / "apart" / "m.onnx"
    onnx.save(
        model, str(apart), save_as_external_data=True, location="m.onnx.data", size_threshold=0
    )
    expected = Extractor(path, preprocess="imagenet").describe(pixels)
    np.testing.assert_array_equal(
        Extractor(apart, preprocess="imagenet").describe(pixels), expected
    )
    with in_files([apart, path]) as (whole, same):
        assert whole.parent != apart.parent and same == path
        np.testing.assert_array_equal(
            Extractor(whole, preprocess="imagenet").describe(pixels), expected
        )


def test_it_stays_a_file_of_its_own(squeezenet, tmp_path) -> None:
    from kinfold.features.export import export_onnx

    extractor = Extractor(squeezenet, preprocess="imagenet")
    with pytest.raises(ValueError, match="cannot be saved"):
        kf.save(extractor, tmp_path / "e.kin")
    with pytest.raises(ValueError, match="expected a network of features.backbones"):
        export_onnx(extractor, tmp_path / "again.onnx", height=64, width=64)
