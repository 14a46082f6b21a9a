"""Plain stacks of layers as text and back: networks of a user's own that a file can hold without any code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require

if TYPE_CHECKING:
    from torch import nn
else:
    nn = require("torch").nn

# What each kind of layer is made from.
_FIELDS: dict[str, tuple[str, ...]] = {
    "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"),
    "BatchNorm2d": ("num_features", "eps"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "AvgPool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    "ReLU": (),
    "ReLU6": (),
    "Identity": (),
}  # fmt: skip
# Channels are held against the weights; these bound what a file can make an image grow to.
_MOST = 1024
_MOST_LAYERS = 1000
_CHANNELS = ("in_channels", "out_channels", "groups", "num_features")
_STEPS = ("kernel_size", "stride", "dilation")  # at least 1


def describe_layers(network: Any) -> list[list[Any]] | None:
    """An ``nn.Sequential`` of plain layers as JSON takes it; None where it is, or holds, anything else.

    Dropout, which does nothing at inference, becomes the identity.
    """
    if type(network) is not nn.Sequential or sum(1 for _ in network.modules()) > _MOST_LAYERS:
        return None
    described: list[list[Any]] = []
    for layer in network:
        name = "Identity" if isinstance(layer, nn.Dropout) else type(layer).__name__
        if type(layer) is nn.Sequential:
            inner = describe_layers(layer)
            if inner is None:
                return None
            described.append(["Sequential", {"layers": inner}])
            continue
        if name not in _FIELDS or getattr(layer, "padding_mode", "zeros") != "zeros":
            return None
        fields = {field: _plain(getattr(layer, field)) for field in _FIELDS[name]}
        if any(isinstance(value, str) for value in fields.values()):
            return None
        if "bias" in fields:
            fields["bias"] = layer.bias is not None
        if name == "BatchNorm2d" and not (layer.affine and layer.track_running_stats):
            return None
        described.append([name, fields])
    return described


def build_layers(described: Any) -> Any:
    """The ``nn.Sequential`` that describe_layers described. FileFormatError where the text makes no sense."""
    return _build(described, [0])


def _build(described: Any, count: list[int]) -> Any:
    if not isinstance(described, list):
        raise FileFormatError("layers: expected a list")
    layers: list[Any] = []
    for entry in described:
        # Also stacks, which may hold nothing but stacks, count.
        count[0] += 1
        if count[0] > _MOST_LAYERS:
            raise FileFormatError(f"layers: expected at most {_MOST_LAYERS} in all")
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
            raise FileFormatError(
                f"layers: expected a name and what it is made from, got {entry!r}"
            )
        name, fields = entry
        if name == "Sequential" and set(fields) == {"layers"}:
            layers.append(_build(fields["layers"], count))
            continue
        if name not in _FIELDS or set(fields) != set(_FIELDS[name]):
            raise FileFormatError(f"layers: expected a known layer, got {name!r}")
        if not all(_sound(value, key) for key, value in fields.items()):
            raise FileFormatError(f"layers: expected whole numbers for {name}")
        try:
            layers.append(getattr(nn, name)(**fields))
        except (ValueError, TypeError, RuntimeError) as error:
            raise FileFormatError(f"layers: no such {name}: {error}") from error
    return nn.Sequential(*layers)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _sound(value: Any, key: str) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(
            not isinstance(part, list) and _sound(part, key) for part in value
        )
    least, most = int(key in _STEPS), 1 << 20 if key in _CHANNELS else _MOST
    return isinstance(value, (int, float, bool)) and least <= value <= most
