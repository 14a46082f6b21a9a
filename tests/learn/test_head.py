from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from small import small

from kinfold.base.registry import resolve
from kinfold.features.backbones import METHODS
from kinfold.learn.head import head_of, with_classes


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "resnet18"])
def test_every_kind_of_last_layer(name) -> None:
    network = with_classes(resolve(METHODS[name])(10), 4).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 4)
    assert len(network.state_dict()[network.classifier_key]) == 4


def test_the_new_layer_is_small_and_repeats() -> None:
    a, b = (head_of(with_classes(small(), 5, seed=2)) for _ in range(2))
    assert torch.equal(a.weight, b.weight) and a.weight.shape == (5, 12)
    assert 0 < a.weight.std() < 0.02 and not a.bias.any()
    assert not torch.equal(a.weight, head_of(with_classes(small(), 5, seed=3)).weight)


def test_bad_networks() -> None:
    network = small()
    network.classifier_key = "features.1.weight"
    with pytest.raises(
        ValueError, match="linear layer or a convolution as its last, got BatchNorm2d"
    ):
        with_classes(network, 3)
    with pytest.raises(ValueError, match="classes"):
        with_classes(small(), 1)
