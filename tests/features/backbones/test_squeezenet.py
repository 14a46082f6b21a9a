"""What holds for every network of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS
from kinfold.features.backbones.cut import cut

# Those whose weights are in the optional data.
WEIGHTS = ("squeezenet1_1", "mobilenet_v2")


def on_meta(name: str, classes: int = 1000) -> torch.nn.Module:
    """The network without memory for its values."""
    with torch.device("meta"):
        return resolve(METHODS[name])(classes).eval()


@pytest.mark.parametrize("name", METHODS)
def test_every_network_says_what_it_is(name) -> None:
    network = on_meta(name, 7)
    assert len(network.state_dict()[network.classifier_key]) == 7
    assert len(network.mean) == len(network.std) == 3
    x = torch.zeros(2, 3, 224, 256, device="meta")
    assert network(x).shape == (2, 7)
    for layer, at in network.layers.items():
        part = cut(network, layer)
        assert part(x).shape[:2] == (2, at.dim)
        side = at.least_side
        assert part(torch.zeros(1, 3, side, side, device="meta")).numel() > 0
        assert (part(x).ndim == 2) == at.codes


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_rectified(name) -> None:
    """GeM needs activations that are not negative."""
    network = on_meta(name)
    part = cut(network).to_empty(device="cpu")
    with torch.no_grad():
        for key, tensor in part.state_dict().items():
            if tensor.is_floating_point() and key.endswith(("weight", "running_var")):
                tensor.fill_(0.01)
            else:
                tensor.zero_()
        generator = torch.Generator().manual_seed(0)
        maps = part(torch.randn(1, 3, 40, 40, generator=generator))
    assert (maps >= 0).all()


@pytest.mark.parametrize(
    ("name", "parameters", "stride"),
    [
        ("squeezenet1_1", 1_235_496, 16),
        ("mobilenet_v2", 3_504_872, 32),
        ("efficientnet_lite0", 4_652_008, 32),
        ("efficientnet_lite1", 5_416_680, 32),
        ("efficientnet_lite2", 6_092_072, 32),
        ("alexnet", 61_100_840, 16),
        ("vgg16", 138_357_544, 16),
        ("vgg19", 143_667_240, 16),
        ("resnet18", 11_689_512, 32),
        ("resnet50", 25_557_032, 32),
        ("resnet101", 44_549_160, 32),
    ],
)
def test_published_sizes(name, parameters, stride) -> None:
    network = on_meta(name)
    assert sum(p.numel() for p in network.parameters()) == parameters
    small, large = (
        cut(network)(torch.zeros(1, 3, s, s, device="meta")).shape[-1] for s in (320, 640)
    )
    assert (large - small) * stride == 320


@pytest.mark.parametrize("name", WEIGHTS)
def test_parameter_names_are_those_of_the_published_weights(name, shared) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = safetensors.load_file(shared / "data" / "weights" / f"{name}.safetensors")
    network = resolve(METHODS[name])()
    network.load_state_dict(state, strict=True)


@pytest.mark.parametrize("name", WEIGHTS)
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
