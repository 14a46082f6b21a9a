from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_every_network_says_what_it_is(name) -> None:
    network = resolve(METHODS[name])(7).eval()
    with torch.inference_mode():
        x = torch.zeros(2, 3, 64, 96)
        maps = network.features(x)
        assert maps.shape[:2] == (2, network.channels)
        assert (maps >= 0).all(), "GeM needs activations that are not negative"
        assert network(x).shape == (2, 7)
        assert network.features(torch.zeros(1, 3, 32, 32)).numel() > 0
    assert len(network.state_dict()[network.classifier_key]) == 7
    assert len(network.mean) == len(network.std) == 3


@pytest.mark.parametrize(
    ("name", "parameters", "stride"),
    [("squeezenet1_1", 1_235_496, 16), ("mobilenet_v2", 3_504_872, 32)],
)
def test_published_sizes(name, parameters, stride) -> None:
    network = resolve(METHODS[name])().eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    with torch.inference_mode():
        small, large = (network.features(torch.zeros(1, 3, s, s)).shape[-1] for s in (320, 640))
    assert (large - small) * stride == 320


@pytest.mark.parametrize("name", METHODS)
def test_parameter_names_are_those_of_the_published_weights(name, shared) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = safetensors.load_file(shared / "data" / "weights" / f"{name}.safetensors")
    network = resolve(METHODS[name])()
    network.load_state_dict(state, strict=True)


@pytest.mark.parametrize("name", METHODS)
def test_real_weights_recognise_a_real_photo(name, shared) -> None:
    """One photo of bananas is enough to see a layer in the wrong place."""
    from kinfold.features.weights import network, read_weights
    from kinfold.images.decode import decode

    net = network(read_weights(shared / "data" / "weights" / f"{name}.safetensors"))
    pixels = decode(shared / "data" / "photos" / "jpg" / "bananas_002.jpg", max_side=256).pixels
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    x = (x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1)
    with torch.inference_mode():
        scores = net(x).softmax(1)[0]
    assert int(scores.argmax()) == 954, "banana"
    assert np.isclose(float(scores.sum()), 1, atol=1e-4)
