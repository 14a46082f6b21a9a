from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.base.errors import FileFormatError
from kinfold.features.layers import build_layers, describe_layers


def stack() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, groups=1, bias=False),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(4, 6, 3, dilation=2), nn.ReLU6()),
        nn.Dropout(0.5),
        nn.AvgPool2d(2, 1),
    ).eval()


def test_a_stack_comes_back_from_its_description() -> None:
    original = stack()
    text = json.dumps(describe_layers(original))
    again = build_layers(json.loads(text)).eval()
    again.load_state_dict(original.state_dict(), strict=True)
    x = torch.randn(2, 3, 30, 33)
    assert torch.equal(again(x), original(x))


@pytest.mark.parametrize(
    "network",
    [
        nn.Conv2d(3, 4, 3),
        nn.Sequential(nn.Conv2d(3, 4, 3, padding="same")),
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")),
        nn.Sequential(nn.GELU()),
        nn.Sequential(nn.Sequential(nn.Flatten())),
        nn.Sequential(nn.BatchNorm2d(3, affine=False)),
    ],
)
def test_what_has_no_description(network) -> None:
    assert describe_layers(network) is None


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [1],
        [["Conv2d"]],
        [["Flatten", {}]],
        [["ReLU", {"inplace": True}]],
        [["Conv2d", {}]],
        [["BatchNorm2d", {"num_features": "many", "eps": 1e-5}]],
        [["BatchNorm2d", {"num_features": 1 << 40, "eps": 1e-5}]],
        [["AvgPool2d", {
            "kernel_size": 5000, "stride": 1, "padding": 2000, "ceil_mode": False, "count_include_pad": True,
        }]],
        [["Conv2d", {
            "in_channels": 3, "out_channels": 4, "kernel_size": [1, 2, 3], "stride": 1, "padding": 0,
            "dilation": 1, "groups": 1, "bias": True,
        }]],
        [["Conv2d", {
            "in_channels": 3, "out_channels": 4, "kernel_size": 1, "stride": 1, "padding": 0,
            "dilation": 1, "groups": 2, "bias": True,
        }]],
    ],
)  # fmt: skip
def test_bad_descriptions(bad) -> None:
    with pytest.raises(FileFormatError, match="layers: "):
        build_layers(bad)
