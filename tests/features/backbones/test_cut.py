from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS
from kinfold.features.backbones.alexnet import AlexNet
from kinfold.features.backbones.cut import _stages, cut, where
from kinfold.features.backbones.mobilenet import MobileNetV2
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
        ValueError,
        match="layer: expected one of conv5, pool5, fc6, fc7, or a module: features.0 to features.12, .*got 'fc8'",
    ):
        cut(net, "fc8")


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "mobilenet_v2", "alexnet", "resnet18", "compact"]
)
def test_a_network_may_be_cut_behind_any_module(name) -> None:
    """Each stage applied to what the stage before gave is the whole network; what `where` says is true."""
    torch.manual_seed(1)
    net = resolve(METHODS[name])(4).eval()
    x = torch.randn(1, 3, 64, 64)
    out = x
    with torch.inference_mode():
        for stage, module in _stages(net).items():
            out = module(out)
            at = where(net, stage)[1]
            assert (out.shape[1], out.ndim == 2) == (at.dim, at.codes)
            if stage in ("features.3", "layer2", "flatten"):
                assert torch.equal(cut(net, stage)(x), out)
                assert cut(net, stage)(torch.zeros(1, 3, at.least_side, at.least_side)).numel()
        assert torch.allclose(out, net(x), atol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "resnet50", "resnet101"])
def test_large_networks_have_all_their_modules(name) -> None:
    with torch.device("meta"):
        net = resolve(METHODS[name])(4).eval()
    x = torch.zeros(1, 3, 224, 224, device="meta")
    for layer, at in net.layers.items():
        assert where(net, at.module)[1][1:4:2] == (at.dim, at.codes), layer
    assert cut(net, list(_stages(net))[-1])(x).shape == net(x).shape == (1, 4)


def test_inside_of_a_stack_and_as_it_is() -> None:
    """A module's output is taken as it is, before the rectifier that follows."""
    torch.manual_seed(0)
    net = MobileNetV2(3).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(cut(net, "features.0.1")(x), net.features[0][:2](x))
        assert (cut(net, "features.0.1")(x) < 0).any()
        assert torch.equal(cut(net, "features.18.2")(x), cut(net, "conv18")(x))


@pytest.mark.parametrize(
    "name", ["features.99", "features.3.conv", "features", "classifier.7", "", "features.0."]
)
def test_what_no_image_goes_through_is_refused(name) -> None:
    with torch.device("meta"):
        net = MobileNetV2()
    with pytest.raises(
        ValueError, match="^layer: expected one of conv18, or a module: features.0 to features.18, "
    ):
        where(net, name)
