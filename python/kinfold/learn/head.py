"""A network's last layer, for other classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count
from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def head_of(network: Any) -> Any:
    """The module whose weight is the network's ``classifier_key``."""
    return network.get_submodule(network.classifier_key.rpartition(".")[0])


def with_classes(network: Any, classes: int, *, seed: int = 0) -> Any:
    """The same network, its last layer replaced by a new one for so many classes: weights of deviation 0.01."""
    path = network.classifier_key.rpartition(".")[0]
    old, count = network.get_submodule(path), as_count(classes, "classes", least=2)
    made: Any
    if isinstance(old, torch.nn.Linear):
        made = torch.nn.Linear(old.in_features, count)
    elif isinstance(old, torch.nn.Conv2d):
        made = torch.nn.Conv2d(old.in_channels, count, old.kernel_size)
    else:
        raise ValueError(
            f"network: expected a linear layer or a convolution as its last, got {type(old).__name__}"
        )
    generator = torch.Generator().manual_seed(as_count(seed, "seed", least=0))
    with torch.no_grad():
        made.weight.normal_(0, 0.01, generator=generator)
        made.bias.zero_()
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, made)
    return network
