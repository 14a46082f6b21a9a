from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.base.errors import FileFormatError
from kinfold.features.trunk import Trunk


def own() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.ReLU())


def test_networks_of_the_catalogue() -> None:
    trunk = Trunk.of("random", "resnet18", "conv4")
    assert (trunk.name, trunk.layer, trunk.dim, trunk.codes) == ("ResNet18", "conv4", 256, False)
    assert trunk.module(torch.zeros(1, 3, 64, 64)).shape == (1, 256, 4, 4)


def test_a_module_of_ones_own() -> None:
    trunk = Trunk.of(own())
    assert (trunk.name, trunk.layer, trunk.dim, trunk.codes) == ("Sequential", None, 5, False)
    assert (
        trunk.preprocessing.mean == (0.485, 0.456, 0.406)
        and trunk.source != Trunk.of(own().apply(grow)).source
    )

    class Coded(nn.Module):
        mean, std, least_side = (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 48

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    coded = Trunk.of(Coded())
    assert (coded.dim, coded.codes, coded.least_side) == (3, True, 48)
    assert coded.preprocessing.mean == (0.5,) * 3
    with pytest.raises(ValueError, match="a Coded cannot be saved"):
        coded.params()


def grow(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.constant_(module.weight, 2)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(4, 5, 3), "does not take images"),
        (nn.Flatten(0), "expected a network that gives maps"),
        (nn.Sequential(nn.MaxPool2d(100)), "does not take images"),
    ],
)
def test_modules_that_are_no_trunk(module, message) -> None:
    with pytest.raises(ValueError, match=message):
        Trunk.of(module)


def test_a_layer_of_a_module_is_refused() -> None:
    with pytest.raises(ValueError, match="layer: expected none with a module"):
        Trunk.of(own(), layer="conv5")


@pytest.mark.parametrize(
    "trunk",
    [Trunk.of(own()), Trunk.of("random", "squeezenet1_1", seed=3)],
    ids=["own", "squeezenet"],
)
def test_state(trunk) -> None:
    again = Trunk.from_state(trunk.params(), trunk.arrays())
    x = torch.randn(1, 3, 40, 50)
    with torch.inference_mode():
        assert torch.equal(again.module(x), trunk.module(x))
    for field in ("name", "layer", "dim", "codes", "least_side", "preprocessing", "source"):
        assert getattr(again, field) == getattr(trunk, field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "VGG11", "layer": "conv5"}, "architecture: expected one of SqueezeNet"),
        ({"architecture": "AlexNet", "layer": "conv9"}, "layer: expected one of conv5"),
        ({"mean": [1, 2]}, "mean"),
        ({"mean": [1, 2, float("nan")]}, "mean"),
        ({"std": [0, 1, 1]}, "std above 0"),
        ({"least_side": 10**9}, "least_side"),
        ({"least_side": True}, "least_side"),
        ({"layers": [["Conv3d", {}]]}, "layers"),
        ({"layers": []}, "have the unknown"),
        ({"more": 1}, "unknown parameters: more"),
    ],
)
def test_files_that_lie(change, message) -> None:
    trunk = Trunk.of(own())
    with pytest.raises(FileFormatError, match=message):
        Trunk.from_state({**trunk.params(), **change}, trunk.arrays())


def test_weights_of_another_shape() -> None:
    trunk = Trunk.of(own())
    with pytest.raises(FileFormatError, match=r"'0.weight' is \(2, 2\)"):
        Trunk.from_state(
            trunk.params(), {**trunk.arrays(), "0.weight": np.zeros((2, 2), np.float32)}
        )
