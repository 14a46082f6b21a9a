from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.mobilenet import InvertedResidual, MobileNetV2


def test_shortcut_only_where_shapes_agree() -> None:
    assert InvertedResidual(8, 8, 1, 6).shortcut
    assert not InvertedResidual(8, 8, 2, 6).shortcut
    assert not InvertedResidual(8, 9, 1, 6).shortcut
    x = torch.randn(1, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    block = InvertedResidual(8, 8, 1, 6).eval()
    with torch.inference_mode():
        assert torch.allclose(block(x), x + block.conv(x))


def test_names_of_the_parts() -> None:
    names = set(MobileNetV2().state_dict())
    assert {
        "features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.2.running_var",
        "features.17.conv.3.bias", "features.18.1.num_batches_tracked", "classifier.1.bias",
    } <= names  # fmt: skip
