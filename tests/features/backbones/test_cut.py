from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.alexnet import AlexNet
from kinfold.features.backbones.cut import cut, where
from kinfold.features.backbones.resnet import ResNet18


def test_codes_are_those_on_the_way_to_the_scores() -> None:
    """fc7 and the last layer are the whole network; codes are rectified."""
    torch.manual_seed(0)
    net = AlexNet(5).eval()
    x = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        fc6, fc7 = cut(net, "fc6")(x), cut(net, "fc7")(x)
        assert torch.allclose(net.classifier[6](fc7), net(x), atol=1e-6)
        assert torch.allclose(net.classifier[3:6](fc6), fc7, atol=1e-6)
        assert (fc6 >= 0).all() and (fc7 >= 0).all()
        assert cut(net, "pool5")(x).flatten(1).shape == (2, 9216)


def test_parameters_are_shared() -> None:
    with torch.device("meta"):
        net = ResNet18()
    assert next(cut(net, "conv4").parameters()) is net.conv1.weight


def test_an_unknown_layer_names_those_there_are() -> None:
    with torch.device("meta"):
        net = AlexNet()
    assert where(net, None)[0] == "conv5"
    with pytest.raises(
        ValueError, match="layer: expected one of conv5, pool5, fc6, fc7, got 'fc8'"
    ):
        cut(net, "fc8")
