from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
import kinfold as kf
from kinfold.base.errors import MissingExtraError
from kinfold.features.export import Whole, export_onnx
from kinfold.features.extract import Extractor
from kinfold.features.neural_codes import neural_codes
from kinfold.features.pool import METHODS


def own() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 5, stride=4), torch.nn.BatchNorm2d(6), torch.nn.ReLU()
    )


def images(rng: np.random.Generator, n: int = 2) -> tuple[np.ndarray, torch.Tensor]:
    pixels = rng.integers(0, 256, (n, 64, 80, 3), dtype=np.uint8)
    return pixels, torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("pooling", [name for name in METHODS if name != "flatten"])
def test_one_module_does_what_the_extractor_does(pooling, antialias, rng) -> None:
    e = Extractor(own(), pooling=pooling, antialias=antialias, scales=[1, 0.7, 0.5, 1.3])
    e = e.whitened(kf.PCA(4, whiten=True).fit(rng.random((20, 6))))
    pixels, x = images(rng)
    with torch.inference_mode():
        out = Whole(e, 64, 80).eval()(x).numpy()
    assert np.allclose(out, e.describe_all(list(pixels)), atol=1e-5)


def test_neural_codes_too(rng) -> None:
    e = neural_codes(own(), layer=None, side=64)
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        assert np.allclose(Whole(e, 64, 64)(x)[0], e.describe(pixels), atol=1e-5)


def test_sizes_that_are_too_small() -> None:
    with pytest.raises(ValueError, match=r"at least 32 pixels at scale 0.5, got 30 x 40"):
        Whole(Extractor(own(), scales=[1, 0.5]), 60, 80)


def test_without_onnx_the_error_names_the_extra(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"kinfold\[onnx\]"):
        export_onnx(Extractor(own()), tmp_path / "a.onnx", height=64, width=80)


@pytest.mark.parametrize("pooling", ["gem", pytest.param("rmac", marks=pytest.mark.slow)])
def test_onnxruntime_computes_the_same(pooling, rng, tmp_path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    e = Extractor(own(), pooling=pooling, scales=[1, 0.5])
    e = e.whitened(kf.PCA(4, whiten=True).fit(rng.random((20, 6))))
    path = tmp_path / "extractor.onnx"
    export_onnx(e, path, height=64, width=80)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 3):
        pixels, x = images(rng, n)
        (out,) = session.run(None, {"images": x.numpy()})
        assert out.shape == (n, 4)
        assert np.allclose(out, e.describe_all(list(pixels)), atol=1e-5)
    assert not [p for p in tmp_path.iterdir() if p != path], "one file"
