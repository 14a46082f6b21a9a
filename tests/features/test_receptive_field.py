from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS
from kinfold.features.backbones.cut import cut
from kinfold.features.backbones.mobilenet import InvertedResidual
from kinfold.features.backbones.resnet import BasicBlock
from kinfold.features.backbones.squeezenet import Fire
from kinfold.features.receptive_field import receptive_field


def of(name: str, layer: str | None = None):
    with torch.device("meta"):
        return receptive_field(cut(resolve(METHODS[name])(), layer))


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        ("alexnet", "conv5", 163, 16),
        ("alexnet", "pool5", 195, 32),
        ("vgg16", "conv5", 196, 16),
        ("vgg16", "pool5", 212, 32),
        ("resnet101", "conv5", 971, 32),
    ],
)
def test_published_sizes(name, layer, size, stride) -> None:
    field = of(name, layer)
    assert field.size == (size, size) and field.stride == (stride, stride)


def seen_by_gradients(
    network: nn.Module, side: int
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Rows and columns of the image on which the middle place of the maps depends."""
    network = network.double().eval()
    for module in network.modules():
        # Nothing cancels, saturates or stays silent: what could have an effect has one.
        if isinstance(module, nn.Conv2d):
            nn.init.uniform_(
                module.weight, 0.5 / module.weight[0].numel(), 1.5 / module.weight[0].numel()
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    maps = network(image)
    middle = (maps.shape[2] // 2, maps.shape[3] // 2)
    maps[0, :, middle[0], middle[1]].sum().backward()
    touched = image.grad[0].abs().sum(0) > 0
    return touched.any(1).nonzero()[:, 0].numpy(), touched.any(0).nonzero()[:, 0].numpy(), middle


def averaging(module: nn.Module) -> nn.Module:
    """Maxima, through which only the largest is seen, become means."""
    for name, part in module.named_children():
        if isinstance(part, nn.MaxPool2d):
            setattr(
                module, name,
                nn.AvgPool2d(part.kernel_size, part.stride, part.padding, ceil_mode=part.ceil_mode),
            )  # fmt: skip
        else:
            averaging(part)
    return module


NETWORKS = {
    "squeezenet": lambda: cut(resolve(METHODS["squeezenet1_1"])()),
    "alexnet": lambda: resolve(METHODS["alexnet"])(1).features,
    "resnet18, conv4": lambda: cut(resolve(METHODS["resnet18"])(), "conv4")[:6],
    "fire": lambda: Fire(3, 2, 4),
    "inverted": lambda: nn.Sequential(InvertedResidual(3, 3, 1, 2), InvertedResidual(3, 4, 2, 2)),
    "basic": lambda: nn.Sequential(BasicBlock(3, 3, 1), BasicBlock(3, 6, 2)),
    "oblong": lambda: nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 0), dilation=(2, 1)), nn.ReLU(), nn.AvgPool2d(3, 2, 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_exactly_as_far(name) -> None:
    torch.manual_seed(0)
    network = averaging(NETWORKS[name]())
    field = receptive_field(network)
    side = 3 * max(*field.size, 16)
    rows, columns, middle = seen_by_gradients(network, side)
    (box,) = field.boxes([middle], height=side, width=side)
    assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_boxes_move_by_the_stride_and_are_cut_off() -> None:
    field = of("vgg16", "pool5")
    a, b = field.boxes([[2, 3], [3, 5]])
    assert (b - a).tolist() == [64, 32, 64, 32]
    assert field.boxes([[0, 0]], height=100, width=80).tolist() == [[0, 0, 80, 100]]
    assert (field.boxes([[0, 0]])[0] < 0).any()


class Adds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + x


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.AdaptiveAvgPool2d(1)), "no rule for a AdaptiveAvgPool2d"),
        (nn.Sequential(nn.Conv2d(3, 3, 3, padding="same")), "expected padding in pixels"),
        (Adds(), "joins maps of strides 2 and 1"),
        (Branches(), "torch.fx can follow"),
        (nn.Flatten(), "no rule"),
    ],
)
def test_networks_without_a_receptive_field(network, message) -> None:
    with pytest.raises(ValueError, match=message):
        receptive_field(network)
