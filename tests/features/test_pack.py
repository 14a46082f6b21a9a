from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.features.backbones.cut import cut
from kinfold.features.backbones.mobilenet import InvertedResidual
from kinfold.features.backbones.resnet import BasicBlock, Bottleneck
from kinfold.features.fuse import fuse
from kinfold.features.pack import Packed, can_pack, convolves, pack
from kinfold.features.weights import random_network

pytestmark = pytest.mark.skipif(not can_pack(), reason="this torch has no oneDNN")


def both(module: nn.Module, *size: int) -> tuple[torch.Tensor, torch.Tensor, nn.Module]:
    """What a module says, what it says packed, and that."""
    torch.manual_seed(0)
    x = torch.randn(2, *size)
    packed = pack(fuse(module.eval()).to(memory_format=torch.channels_last))
    with torch.inference_mode():
        expected = module(x)
        again = [packed(x.contiguous(memory_format=torch.channels_last)) for _ in range(2)]
    assert torch.equal(*again), "nothing is left behind by a call"
    return expected, again[0], packed


def kinds(module: nn.Module) -> set[str]:
    return {
        type(module.get_submodule(n.target)).__name__ if n.op == "call_module" else str(n.op)
        for n in module.graph.nodes
    } - {"placeholder", "output"}


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(8, 6, 3, bias=True), nn.BatchNorm2d(6), nn.ReLU6()),
        nn.Sequential(nn.Conv2d(8, 16, 1), nn.ReLU(), BasicBlock(16, 16, 1), BasicBlock(16, 32, 2)),
        nn.Sequential(nn.Conv2d(8, 16, 1), Bottleneck(16, 4, 1), Bottleneck(16, 8, 2)),
        nn.Sequential(
            nn.Conv2d(8, 8, 1), InvertedResidual(8, 8, 1, 6), InvertedResidual(8, 16, 2, 6)
        ),
    ],
)
def test_blocks_become_convolutions_alone(module) -> None:
    expected, found, packed = both(module, 8, 12, 9)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert kinds(packed) == {"Packed"}


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "resnet18", "alexnet"])
def test_networks_say_the_same(name) -> None:
    expected, found, packed = both(cut(random_network(name, 0)), 3, 70, 95)
    cosine = nn.functional.cosine_similarity(found.flatten(1), expected.flatten(1))
    assert cosine.min() > 0.999999
    assert not kinds(packed) & {"Conv2d", "ReLU", "ReLU6", "BatchNorm2d"}


def test_an_input_that_is_read_later_is_not_overwritten() -> None:
    class Late(nn.Module):
        """The shortcut, and the input itself, are read after the sum."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x)
            z = torch.relu(self.second(y) + y)
            return torch.cat([z + x, y], 1)

    class Input(Late):
        """The sum is with what the caller gave."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.second(self.first(x))

    class Crossed(Late):
        """Two convolutions of one input, added to each other."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.first(x) + self.second(x)) + torch.relu(self.second(x))

    for kind in (Late, Input, Crossed):
        expected, found, _ = both(kind(), 4, 7, 7)
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5), kind.__name__


def test_what_it_does_not_know_stays() -> None:
    class Loop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    module = Loop()
    assert pack(module) is module
    odd = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same"), nn.SiLU(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 3, 2, stride=2),
    )  # fmt: skip
    expected, found, packed = both(odd, 3, 8, 8)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not [m for m in packed.modules() if isinstance(m, Packed)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype) -> None:
    """Packed where the processor can, else left to torch: the same network either way."""
    module = fuse(cut(random_network("squeezenet1_1", 0)))
    x = torch.rand(1, 3, 96, 64).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = module(x)
        half = module.to(dtype, memory_format=torch.channels_last)
        packed = pack(half)
        found = packed(x.to(dtype)).float()
    assert (packed is half) != convolves(dtype)
    cosine = nn.functional.cosine_similarity(found.flatten(1), expected.flatten(1))
    assert 0.999 < float(cosine) < 1
