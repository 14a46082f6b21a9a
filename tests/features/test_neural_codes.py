from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from kinfold.features.backbones.alexnet import AlexNet
from kinfold.features.batches import squared
from kinfold.features.extract import Extractor
from kinfold.features.neural_codes import neural_codes
from kinfold.features.weights import random_network


@pytest.fixture(scope="module")
def alexnet() -> AlexNet:
    return random_network("alexnet", 0)


@pytest.mark.parametrize(("layer", "dim"), [("pool5", 9216), ("fc6", 4096), ("fc7", 4096)])
def test_codes_of_alexnet(layer, dim, alexnet, rng, monkeypatch) -> None:
    monkeypatch.setattr("kinfold.features.trunk.random_network", lambda *_: alexnet)
    e = neural_codes("random", architecture="alexnet", layer=layer)
    assert e.dim == dim
    pixels = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    x = torch.from_numpy(squared(pixels, 224)).permute(2, 0, 1)[None].float() / 255
    x = (x - torch.tensor(alexnet.mean).view(1, 3, 1, 1)) / torch.tensor(alexnet.std).view(
        1, 3, 1, 1
    )
    with torch.inference_mode():
        code = alexnet.features(x).flatten(1)
        if layer != "pool5":
            code = torch.relu(alexnet.classifier[1](code))
        if layer == "fc7":
            code = torch.relu(alexnet.classifier[4](code))
    assert np.allclose(e.describe(pixels), code[0] / code[0].norm(), atol=1e-5)
    both = e.describe_all([pixels, pixels[:, ::-1]])
    assert np.allclose(both[0], e.describe(pixels), atol=1e-5)


def test_a_small_network_whitened_and_saved(rng, tmp_path) -> None:
    import kinfold as kf

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=3), torch.nn.ReLU())
    e = neural_codes(net, layer=None, side=33)
    assert e.dim == 4 * 11 * 11
    photos = [rng.integers(0, 256, (50, 40 + i, 3), dtype=np.uint8) for i in range(9)]
    w = e.whitened(kf.PCA(5, whiten=True).fit(e.describe_all(photos)))
    kf.save(w, tmp_path / "codes.kin")
    again = kf.load(tmp_path / "codes.kin")
    assert np.array_equal(again.describe(photos[0]), w.describe(photos[0])) and again.dim == 5
    cropped = neural_codes(net, layer=None, side=33, crop=True)
    assert cropped.fingerprint != e.fingerprint
    assert not np.allclose(cropped.describe(photos[0]), e.describe(photos[0]), atol=1e-3)


def test_squares() -> None:
    ramp = np.zeros((70, 140, 3), np.uint8)
    ramp[:, 70:] = 255
    assert squared(ramp, 35).shape == squared(ramp, 35, crop=True).shape == (35, 35, 3)
    assert squared(ramp, 35)[:, 0].max() < 30 and squared(ramp, 35)[:, -1].min() > 220
    tall = squared(ramp.transpose(1, 0, 2), 56, crop=True)
    assert tall.shape == (56, 56, 3) and tall[0].max() < 30 and tall[-1].min() > 220


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": [1]}, "images of one size: see features.neural_codes"),
        ({"side": 224, "scales": [1, 0.5]}, "scales: expected one scale of squares"),
        ({"side": 10}, "side: expected a whole number from 32 to 4096"),
    ],
)
def test_bad_settings(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        Extractor("random", architecture="squeezenet1_1", pooling="flatten", **options)

    with pytest.raises(ValueError, match="pooling: expected 'flatten' for codes"):
        Extractor(torch.nn.Flatten(), side=32, pooling="gem")


def test_one_scale_and_no_pooling_where_nothing_is_said() -> None:
    extractor = Extractor(torch.nn.Flatten(), side=32)
    assert extractor.scales == (1.0,) and extractor.pooling == "flatten"
    assert extractor.dim == 3 * 32 * 32
