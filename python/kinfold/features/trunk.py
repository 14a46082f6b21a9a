"""A network up to the layer that describes photos: which it is, what it expects, and how it is stored."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.registry import resolve
from kinfold.base.state import JSON, Arrays, check_only, take_param
from kinfold.features.backbones import METHODS as NETWORKS
from kinfold.features.backbones.cut import cut, where
from kinfold.features.field import ReceptiveField, cells
from kinfold.features.forward import Forward
from kinfold.features.layers import build_layers, describe_layers
from kinfold.features.pool import METHODS as POOLINGS
from kinfold.features.pool.spoc import SPoC
from kinfold.features.preprocess import Preprocessing, Three
from kinfold.features.receptive_field import receptive_field
from kinfold.features.shapes import shape_of
from kinfold.features.weights import MOST_CLASSES, fill, network, random_network, read_weights
from kinfold.images.digest import content_digest

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_PROBE = 64
# One that lacks a mean and least side of its own.
_LEAST_SIDE = 32


@dataclass(frozen=True)
class Trunk:
    """Normalised pixels to feature maps, or to codes.

    module : (n, 3, h, w) to maps (n, dim, h', w') or codes (n, dim), for inference
    name : of the architecture, or of the class of a user's own module
    layer : where the architecture is cut; None for a user's own module
    dim : channels of the maps, or length of the codes
    codes : whether the output is codes
    least_side : smaller images leave nothing of the maps
    preprocessing : of photos
    source : digest of the weights, or how they were made
    step, maker : see network.Network
    """

    module: Any
    name: str
    layer: str | None
    dim: int
    codes: bool
    least_side: int
    preprocessing: Preprocessing
    source: str
    step: int = 1
    maker: str = ""

    def runs(self, device: str = "cpu", precision: str = "float32") -> Forward:
        """Ready to run, by torch."""
        return Forward(self, device=device, precision=precision)

    def poolings(self, name: str, p: float) -> Any:
        """The module of that name of features.pool, or SPoC with its centre prior."""
        if name == "spoc-centre":
            return SPoC(centre_prior=True)
        make = resolve(POOLINGS[as_choice(name, "pooling", POOLINGS)])
        return make(p) if "p" in inspect.signature(make).parameters else make()

    def field(self, image: tuple[int, int], maps: tuple[int, int]) -> ReceptiveField:
        """By the arithmetic of its windows, ValueError for what has none; of others' models the cells of the maps."""
        return cells(*image, *maps) if self.maker else receptive_field(self.module)

    @classmethod
    def of(
        cls, weights: Any, architecture: str | None = None, layer: str | None = None, seed: int = 0
    ) -> Trunk:
        """From a file of weights, from "random" with an architecture, or from an ``nn.Module``.

        layer : name from the network's ``layers``, or of a module, see backbones.cut; None for the one that
            retrieval uses
        A module must map pixels to rectified maps or to codes; it may say ``mean``, ``std`` and ``least_side``.
        Raises ValueError with the reason, FileNotFoundError, FileFormatError.
        """
        if isinstance(weights, torch.nn.Module):
            if layer is not None or architecture is not None:
                raise ValueError("layer: expected none with a module, which is used as it is")
            return cls._own(weights)
        if not isinstance(weights, (str, os.PathLike)):
            raise ValueError(
                "weights: expected a file of trained weights: a network that has learnt nothing finds little "
                f"more than colours and textures; got {weights!r}. weights='random' asks for one nevertheless"
            )
        if weights == "random":
            if architecture is None:
                raise ValueError(f"architecture: random weights need one of {', '.join(NETWORKS)}")
            source = f"random {as_count(seed, 'seed', least=0)}"
            net = random_network(architecture, seed)
        else:
            net = network(read_weights(weights), architecture)
            source = content_digest(weights)
        return cls._cut(net, layer, source)

    @classmethod
    def _cut(cls, net: Any, layer: str | None, source: str) -> Trunk:
        name, at = where(net, layer)
        return cls(
            cut(net, name), type(net).__name__, name, at.dim, at.codes, at.least_side,
            Preprocessing(net.mean, net.std), source,
        )  # fmt: skip

    @classmethod
    def _own(cls, module: Any) -> Trunk:
        """A module of the user's, left as it is but for inference mode."""
        module = module.eval()
        digest = hashlib.blake2b(digest_size=20)
        for key, tensor in module.state_dict().items():
            digest.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        least = as_count(getattr(module, "least_side", _LEAST_SIDE), "least_side")
        mean = tuple(float(v) for v in getattr(module, "mean", _IMAGENET_MEAN))
        std = tuple(float(v) for v in getattr(module, "std", _IMAGENET_STD))
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError("weights: expected mean and std of three numbers, std above 0")
        dim, codes = _probe(module, max(least, _PROBE))
        return cls(
            module, type(module).__name__, None, dim, codes, least, Preprocessing(mean, std),
            digest.hexdigest(),
        )  # fmt: skip

    def params(self) -> dict[str, JSON]:
        """What ``from_state`` needs besides the arrays. ValueError for a module that a file cannot hold."""
        layers = None
        if self.layer is None:
            layers = describe_layers(self.module)
            if layers is None:
                raise ValueError(
                    f"weights: a {self.name} cannot be saved: only the networks of features.backbones and an "
                    "nn.Sequential of plain layers can be built again without code"
                )
        return {
            "architecture": self.name, "layer": self.layer, "layers": layers,
            "mean": list(self.preprocessing.mean), "std": list(self.preprocessing.std),
            "least_side": self.least_side, "source": self.source,
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """The weights up to the layer."""
        return {key: t.detach().cpu().numpy() for key, t in self.module.state_dict().items()}

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Trunk:
        """What params and arrays describe. Raises FileFormatError."""
        known = {"architecture", "layer", "layers", "mean", "std", "least_side", "source"}
        check_only(params, known, "parameters")
        name = take_param(params, "architecture", str)
        layer = take_param(params, "layer", (str, type(None)))
        mean, std = (_three(params, key) for key in ("mean", "std"))
        least = take_param(params, "least_side", int)
        if min(std) <= 0 or not 1 <= least <= 4096:
            raise FileFormatError("parameters: expected std above 0 and a least_side up to 4096")
        # Built without memory for values: what a file merely claims allocates nothing.
        with torch.device("meta"):
            if layer is None:
                module = build_layers(take_param(params, "layers", list))
            else:
                classes = {
                    resolve(target).__name__: resolve(target) for target in NETWORKS.values()
                }
                try:
                    kind = classes[as_choice(name, "architecture", classes)]
                    net = kind(_classes(kind, layer, arrays))
                    at = where(net, layer)[1]
                except ValueError as error:
                    raise FileFormatError(str(error)) from error
                module = cut(net, layer)
                dim, codes, least = at.dim, at.codes, at.least_side
        # Copied: a mapped file is read-only, which torch cannot express.
        fill(module, {key: torch.from_numpy(np.array(a)) for key, a in arrays.items()}, name)
        module = module.eval().requires_grad_(False)
        if layer is None:
            try:
                dim, codes = _probe(module, max(least, _PROBE))
            except ValueError as error:
                raise FileFormatError(str(error)) from error
        return cls(
            module, name, layer, dim, codes, least, Preprocessing(mean, std),
            take_param(params, "source", str),
        )  # fmt: skip


def _classes(kind: Any, layer: str, arrays: Mapping[str, NDArray[Any]]) -> int:
    """How many a network was stored with, where it was cut behind the last layer; else 1."""
    net = kind(1)
    last = net.get_parameter(net.classifier_key)
    for key, parameter in cut(net, layer).named_parameters():
        if parameter is last and key in arrays and arrays[key].ndim:
            return min(max(1, len(arrays[key])), MOST_CLASSES)
    return 1


def _probe(module: Any, side: int) -> tuple[int, bool]:
    """Length of the output's vectors, and whether it is codes."""
    shape = shape_of(module, (1, 3, side, side))
    if len(shape) not in (2, 4) or shape[0] != 1 or 0 in shape:
        raise ValueError(
            f"weights: expected a network that gives maps (n, k, h, w) or codes (n, k), got {shape}"
        )
    return shape[1], len(shape) == 2


def _three(params: Mapping[str, JSON], key: str) -> Three:
    values = take_param(params, key, list)
    if len(values) != 3 or not all(type(v) in (int, float) and np.isfinite(v) for v in values):
        raise FileFormatError(f"parameter '{key}': expected three numbers, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])
