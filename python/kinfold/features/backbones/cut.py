"""Networks cut at the layer that a method wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kinfold.base.arrays import as_choice
from kinfold.base.extras import require

if TYPE_CHECKING:
    from torch import nn
else:
    nn = require("torch").nn


class Cut(NamedTuple):
    """Where a layer's output is.

    part : "features" for maps (n, dim, h, w); "classifier" for codes (n, dim) of images of one fixed side
    stop : the output of this many modules of the part
    dim : channels of the maps, or length of the codes
    least_side : smaller images leave nothing of the maps
    """

    part: str
    stop: int
    dim: int
    least_side: int = 32


def where(network: Any, layer: str | None) -> tuple[str, Cut]:
    """A layer's name and place; None is the network's first, that which retrieval uses."""
    name = next(iter(network.layers)) if layer is None else layer
    return name, network.layers[as_choice(name, "layer", network.layers)]


def cut(network: Any, layer: str | None = None) -> Any:
    """The network up to a layer, after its rectifier, sharing the parameters: an ``nn.Sequential``.

    layer : name from ``network.layers``
    """
    at = where(network, layer)[1]
    features = network.features
    if at.part == "features":
        return features[: at.stop]
    return nn.Sequential(
        *features, network.avgpool, nn.Flatten(), *list(network.classifier)[: at.stop]
    )
