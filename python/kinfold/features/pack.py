"""Convolutions as oneDNN has them fastest: weights laid out once, rectifiers and shortcuts part of them. CPU alone."""

from __future__ import annotations

import copy
import functools
import operator
from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_RELU = ("relu", ())
_RELU6 = ("hardtanh", (0.0, 6.0))


class Packed(torch.nn.Module):  # type: ignore[misc]
    """A convolution, what comes after it at each place, and a second input that its result is added to, in place."""

    def __init__(self, convolution: Any, activation: tuple[str, tuple[float, ...]] | None) -> None:
        super().__init__()
        self.window = (
            list(convolution.padding), list(convolution.stride), list(convolution.dilation), convolution.groups,
        )  # fmt: skip
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(
            convolution.weight.detach().to_mkldnn(), *self.window
        )
        self.bias = None if convolution.bias is None else convolution.bias.detach()
        self.activation = activation

    def forward(self, x: torch.Tensor, onto: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (n, k, h, w), channels last, to maps; ``onto`` is overwritten by the sum."""
        run = torch.ops.mkldnn
        name, scalars = self.activation or (None, ())
        if onto is not None:
            return run._convolution_pointwise_.binary(
                onto, x, self.weight, self.bias, *self.window, "add", 1.0, name, list(scalars), ""
            )
        return run._convolution_pointwise(
            x, self.weight, self.bias, *self.window, name or "none", list(scalars), ""
        )


def can_pack() -> bool:
    """Whether this torch has oneDNN and its operators for that, which are torch's own and may go."""
    names = ("_convolution_pointwise", "_convolution_pointwise_")
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
        and all(hasattr(torch.ops.mkldnn, name) for name in names)
    )


@functools.cache
def convolves(dtype: torch.dtype) -> bool:
    """Whether oneDNN convolves numbers of this type on this processor: half precision is not for all.

    Torch computes the others too, but one by one: 3 to 50 times slower than float32.
    """
    if not can_pack():
        return False
    try:
        Packed(torch.nn.Conv2d(1, 1, 1, dtype=dtype), None)
    except RuntimeError:
        return False
    return True


def pack(module: Any) -> Any:
    """A network that ``fuse`` gave, on the CPU, as a faster one that computes the same; else as it is.

    Without a layout of the weights each call makes one anew; a rectifier or a sum of its own is one more pass over
    memory.
    """
    if not isinstance(module, torch.fx.GraphModule):
        return module
    if not all(convolves(dtype) for dtype in {p.dtype for p in module.parameters()}):
        return module
    packed = copy.deepcopy(module)
    graph = packed.graph
    _rectify_before_joining(graph, packed)
    for node in list(graph.nodes):
        convolution = _module(packed, node)
        if type(convolution) is not torch.nn.Conv2d or isinstance(convolution.padding, str):
            continue
        if convolution.padding_mode != "zeros":
            continue
        after = _activation_of(packed, node)
        one = Packed(convolution, after[1] if after else None)
        _replace(packed, node, after[0] if after else node, one, (node.args[0],))
    for node in list(graph.nodes):
        if node.target in (operator.add, operator.iadd, torch.add) and len(node.args) == 2:
            _add_within(packed, node)
    graph.lint()
    packed.recompile()
    return packed


def _add_within(packed: Any, node: Any) -> None:
    """A sum of a convolution and something that nobody reads later becomes part of the convolution."""
    order = {other: i for i, other in enumerate(packed.graph.nodes)}
    for one, onto in (node.args, node.args[::-1]):
        if not isinstance(one, torch.fx.Node) or not isinstance(onto, torch.fx.Node):
            return
        convolution = _module(packed, one)
        made = isinstance(_module(packed, onto), (Packed, torch.nn.MaxPool2d))
        free = isinstance(convolution, Packed) and convolution.activation is None
        if not free or len(one.users) > 1 or len(one.args) > 1 or not made or one is onto:
            continue
        # Overwritten where the convolution stands now: the other must be made before, and read no more after.
        readers = [order[user] for user in onto.users if user is not node]
        if order[onto] > order[one] or max(readers, default=-1) > order[one]:
            continue
        after = _activation_of(packed, node)
        convolution.activation = after[1] if after else None
        end = after[0] if after else node
        with packed.graph.inserting_before(one):
            new = packed.graph.call_module(one.target, (one.args[0], onto))
        end.replace_all_uses_with(new)
        for old in dict.fromkeys((end, node, one)):
            packed.graph.erase_node(old)
        return


def _module(packed: Any, node: Any) -> Any:
    return packed.get_submodule(node.target) if node.op == "call_module" else None


def _activation(packed: Any, node: Any) -> tuple[str, tuple[float, ...]] | None:
    """The rectifier that a node is, if it is one."""
    module = _module(packed, node)
    if isinstance(module, torch.nn.ReLU6):
        return _RELU6
    if isinstance(module, torch.nn.ReLU) or node.target in (torch.relu, torch.relu_):
        return _RELU
    return None


def _activation_of(packed: Any, node: Any) -> tuple[Any, tuple[str, tuple[float, ...]]] | None:
    """The rectifier that alone reads a node: where, and which."""
    if len(node.users) != 1:
        return None
    user = next(iter(node.users))
    kind = _activation(packed, user)
    return None if kind is None else (user, kind)


def _replace(packed: Any, first: Any, last: Any, module: Any, args: tuple[Any, ...]) -> None:
    """A module instead of the nodes first to last, which follow each other."""
    name = f"packed_{first.name}"
    packed.add_submodule(name, module)
    with packed.graph.inserting_before(first):
        new = packed.graph.call_module(name, args)
    last.replace_all_uses_with(new)
    if last is not first:
        packed.graph.erase_node(last)
    packed.graph.erase_node(first)


def _rectify_before_joining(graph: Any, packed: Any) -> None:
    """Convolutions side by side that are joined and then rectified are each rectified instead."""
    for node in list(graph.nodes):
        after = _activation_of(packed, node)
        if node.target is not torch.cat or after is None or after[1] != _RELU:
            continue
        parts = node.args[0]
        if not all(
            type(_module(packed, p)) is torch.nn.Conv2d and len(p.users) == 1 for p in parts
        ):
            continue
        rectified = []
        for part in parts:
            with graph.inserting_after(part):
                rectified.append(graph.call_function(torch.relu_, (part,)))
        node.args = (rectified, *node.args[1:])
        after[0].replace_all_uses_with(node)
        graph.erase_node(after[0])
