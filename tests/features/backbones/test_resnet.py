"""Names and shapes as published; with torchvision as an oracle where it is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.resnet import BasicBlock, Bottleneck, ResNet18, ResNet50, ResNet101


def test_names_of_the_parts() -> None:
    with torch.device("meta"):
        small, large = ResNet18().state_dict(), ResNet101().state_dict()
    assert {
        "conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
        "layer4.1.bn2.num_batches_tracked", "fc.bias",
    } <= set(small)  # fmt: skip
    assert large["layer3.22.conv3.weight"].shape == (1024, 256, 1, 1)
    assert "layer1.0.downsample.1.weight" in large and "layer1.0.downsample.1.weight" not in small
    with torch.device("meta"):
        assert ResNet50().layer2[0].conv2.stride == (2, 2), "not in the 1 x 1 convolution"


@pytest.mark.parametrize("block", [BasicBlock(8, 8, 1), Bottleneck(32, 8, 1)])
def test_a_block_whose_last_scale_is_zero_passes_its_input(block) -> None:
    block.eval()
    last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
    with torch.no_grad():
        last.weight.zero_()
        x = torch.rand(1, 8 if isinstance(block, BasicBlock) else 32, 5, 5)
        assert block.downsample is None and torch.equal(block(x), x)


ORACLE = """
import sys, torch
from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS
try:
    # The wheel wants operators that only its CUDA build registers.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.models as models
except Exception:
    sys.exit(77)
for name in METHODS:
    large = name in ("alexnet", "vgg16", "vgg19")
    with torch.device("meta"):
        theirs, ours = getattr(models, name)().eval(), resolve(METHODS[name])().eval()
    shapes = [{k: tuple(t.shape) for k, t in net.state_dict().items()} for net in (theirs, ours)]
    assert list(shapes[0]) == list(shapes[1]) and shapes[0] == shapes[1], name
    torch.manual_seed(0)
    if large:  # the convolutions alone, for the sake of time
        theirs, ours = theirs.features, ours.features
    theirs.to_empty(device="cpu")
    with torch.no_grad():
        for key, t in theirs.state_dict().items():
            if t.is_floating_point():
                noise = torch.randn(t.shape) / max(t[0].numel(), 1) ** 0.5
                t.copy_(torch.rand(t.shape) + 0.5 if "running_var" in key else noise)
            else:
                t.zero_()
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict(), strict=True)
    with torch.inference_mode():
        x = torch.randn(1, 3, 64, 96)
        assert torch.allclose(theirs(x), ours(x), rtol=1e-4, atol=1e-5), name
    print(name)
"""


@pytest.mark.slow
def test_torchvision_computes_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORACLE], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("needs torchvision")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 8
