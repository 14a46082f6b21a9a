"""Receptive fields: which pixels a place of a feature map sees."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.base.offered import call_by_name

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = require("torch")
    nn = torch.nn

Boxes = NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Along one axis: place i sees the pixels i stride + first to i stride + last, both included."""

    stride: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Pixels from the first to the last."""
        return self.last - self.first + 1

    def window(self, size: int, stride: int, padding: int, dilation: int) -> Span:
        """After a window of some places slides over what has this span."""
        left = self.first - padding * self.stride
        right = self.last + (dilation * (size - 1) - padding) * self.stride
        return Span(self.stride * stride, left, right)

    def joined(self, other: Span) -> Span:
        """What sees either. ValueError where the strides differ: such maps have different sizes."""
        if self.stride != other.stride:
            raise ValueError(
                f"network: joins maps of strides {self.stride} and {other.stride}, which see no common grid"
            )
        return Span(self.stride, min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True)
class ReceptiveField:
    """Of every place of a network's maps: vertical and horizontal spans."""

    y: Span
    x: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y.size, self.x.size

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels between neighbouring places."""
        return self.y.stride, self.x.stride

    def boxes(self, places: Any, *, height: int | None = None, width: int | None = None) -> Boxes:
        """What places see: x0, y0, x1, y1 in pixels, x1 and y1 excluded: int64 (n, 4).

        places : int (n, 2)    row and column of the map
        height, width : of the image, to cut the boxes off at; they reach beyond it without
        """
        at = np.asarray(places, np.int64).reshape(-1, 2)
        boxes = np.stack(
            [
                at[:, 1] * self.x.stride + self.x.first,
                at[:, 0] * self.y.stride + self.y.first,
                at[:, 1] * self.x.stride + self.x.last + 1,
                at[:, 0] * self.y.stride + self.y.last + 1,
            ],
            axis=1,
        )
        most = [np.iinfo(np.int64).max if side is None else side for side in (width, height)]
        least = [0 if side is not None else np.iinfo(np.int64).min for side in (width, height)]
        return np.clip(boxes, least * 2, most * 2)


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
