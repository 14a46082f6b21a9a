"""Receptive fields: which pixels a place of a feature map sees."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require
from kinfold.base.offered import call_by_name
from kinfold.features.field import ReceptiveField, Span

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn


def receptive_field(network: Any) -> ReceptiveField:
    """The receptive field of a network's output, by the arithmetic of its windows.

    Along every path each convolution or pooling of size k, stride s, padding p and dilation d makes the stride s times
    as long, and reaches p strides further to the left and (k - 1) d - p to the right; where paths meet, the field
    is the smallest interval that holds all of theirs. Araujo, Norris & Sim, Distill 2019.

    network : an ``nn.Module`` that torch.fx can follow: convolutions, poolings, what works place by place, sums and
        concatenations; such as ``cut(net, layer)``
    Raises ValueError for what looks at the whole map, such as adaptive pooling, or is unknown.
    """
    try:
        traced = torch.fx.symbolic_trace(network)
    except Exception as error:  # tracing runs the module's own code, which may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"network: expected one that torch.fx can follow: {reason}") from error
    parts = dict(traced.named_modules())
    fields: dict[Any, ReceptiveField] = {}
    last = None
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            if fields:
                raise ValueError("network: expected one input, the image")
            fields[node] = ReceptiveField(Span(1, 0, 0), Span(1, 0, 0))
            continue
        if node.op == "get_attr":
            continue
        inputs = [fields[argument] for argument in node.all_input_nodes if argument in fields]
        if node.op == "output":
            last = node.all_input_nodes[0]
            break
        if not inputs:
            continue
        joined = inputs[0]
        for other in inputs[1:]:
            joined = ReceptiveField(joined.y.joined(other.y), joined.x.joined(other.x))
        if node.op == "call_module":
            joined = _through(parts[node.target], joined)
        elif not _place_by_place(node):
            raise ValueError(f"network: no rule for the operation '{node.target}'")
        fields[node] = joined
    if last not in fields:
        raise ValueError("network: its output does not depend on its input")
    return fields[last]


# Modules and operations that work at each place alone.
_PLACE_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish,
    nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d,
)  # fmt: skip
_PLACE_OPERATIONS = {
    operator.add, operator.iadd, operator.mul, operator.sub, torch.add, torch.mul, torch.cat, torch.relu,
    torch.sigmoid, torch.tanh, torch.clamp, nn.functional.relu, nn.functional.relu6,
}  # fmt: skip
_PLACE_METHODS = {"relu", "relu_", "add", "add_", "mul", "clamp", "contiguous", "float", "sigmoid"}


def _place_by_place(node: Any) -> bool:
    if node.op == "call_method":
        return node.target in _PLACE_METHODS
    if node.target is torch.cat:
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        return dim in (1, -3)
    return node.target in _PLACE_OPERATIONS


def _through(module: Any, field: ReceptiveField) -> ReceptiveField:
    """The field after a module."""
    if isinstance(module, _PLACE_MODULES):
        return field
    if isinstance(module, nn.ZeroPad2d):
        left, _, top, _ = module.padding
        return ReceptiveField(field.y.window(1, 1, top, 1), field.x.window(1, 1, left, 1))
    if not isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        raise ValueError(f"network: no rule for a {type(module).__name__}")
    size, stride, padding, dilation = (
        _pair(getattr(module, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    if not isinstance(padding[0], int):
        raise ValueError(f"network: expected padding in pixels, got {module.padding!r}")
    return ReceptiveField(
        field.y.window(size[0], stride[0], padding[0], dilation[0]),
        field.x.window(size[1], stride[1], padding[1], dilation[1]),
    )


def _pair(value: Any) -> tuple[Any, Any]:
    return value if isinstance(value, tuple) else (value, value)


call_by_name(__name__)
