from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.features.backbones.mobilenet import InvertedResidual
from kinfold.features.backbones.resnet import BasicBlock, Bottleneck
from kinfold.features.fuse import fuse


def settled(module: nn.Module) -> nn.Module:
    """With statistics as after training."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    return module.eval()


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(8, 6, 3, bias=True), nn.BatchNorm2d(6), nn.ReLU()),
        BasicBlock(8, 16, 2),
        Bottleneck(8, 4, 2),
        InvertedResidual(8, 8, 1, 6),
    ],
)
def test_the_function_stays_and_the_normalisations_go(module) -> None:
    module = settled(module)
    before = {key: t.clone() for key, t in module.state_dict().items()}
    fused = fuse(module)
    x = torch.randn(2, 8, 9, 9)
    with torch.inference_mode():
        assert torch.allclose(fused(x), module(x), rtol=1e-4, atol=1e-5)
    assert not any(
        "BatchNorm" in str(node.target) or "bn" in str(node.target) for node in fused.graph.nodes
    )
    assert all(torch.equal(before[key], t) for key, t in module.state_dict().items())


def test_what_is_used_twice_is_left_alone() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bn(self.conv(self.bn(self.conv(x))))

    class Branch(Twice):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return y + self.bn(y)

    x = torch.randn(1, 3, 4, 4)
    for kind in (Twice, Branch):
        module = settled(kind())
        with torch.inference_mode():
            assert torch.allclose(fuse(module)(x), module(x), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_traced_comes_back() -> None:
    class Loop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    module = Loop()
    assert fuse(module) is module
