"""Batch normalisation folded into the convolutions before it: the same function in fewer passes over memory."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def fuse(module: Any) -> Any:
    """A copy of a network in inference mode, each convolution followed by a batch normalisation made one.

    W' = W g / sqrt(v + eps), b' = (b - m) g / sqrt(v + eps) + beta. What torch.fx cannot follow comes back as it is.
    """
    try:
        graph_module = torch.fx.symbolic_trace(copy.deepcopy(module))
    except Exception:  # tracing runs the module's own code, which may raise anything
        return module
    parts = dict(graph_module.named_modules())
    graph = graph_module.graph
    calls: dict[Any, int] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls[node.target] = calls.get(node.target, 0) + 1
    for node in list(graph.nodes):
        if node.op != "call_module" or not isinstance(parts[node.target], torch.nn.BatchNorm2d):
            continue
        before, norm = node.args[0], parts[node.target]
        convolution = parts.get(before.target) if before.op == "call_module" else None
        once = isinstance(convolution, torch.nn.Conv2d) and len(before.users) == 1
        if not once or calls[before.target] > 1 or norm.training or norm.running_var is None:
            continue
        _fold(convolution, norm)
        node.replace_all_uses_with(before)
        graph.erase_node(node)
    _add_in_place(graph, parts)
    _rectify_in_place(graph, parts, calls)
    graph_module.recompile()
    return graph_module.eval()


def _rectify_in_place(graph: Any, parts: dict[str, Any], calls: dict[Any, int]) -> None:
    """Rectifiers write over what nothing else reads: half the memory, and no pages to fault in."""
    for node in graph.nodes:
        module = parts.get(node.target) if node.op == "call_module" else None
        rectifies = isinstance(module, (torch.nn.ReLU, torch.nn.ReLU6)) or node.target is torch.relu
        if not rectifies or len(node.all_input_nodes) != 1:
            continue
        before = node.all_input_nodes[0]
        if not _may_be_overwritten(before, parts):
            continue
        if module is None:
            node.target = torch.relu_
        elif calls[node.target] == 1:
            module.inplace = True


def _add_in_place(graph: Any, parts: dict[str, Any]) -> None:
    """Sums, too: a shortcut is added to the last convolution's output."""
    for node in graph.nodes:
        if node.target is not operator.add or len(node.all_input_nodes) != 2:
            continue
        if _may_be_overwritten(node.args[0], parts):
            node.target = operator.iadd
        elif _may_be_overwritten(node.args[1], parts):
            node.target, node.args = operator.iadd, (node.args[1], node.args[0])


def _may_be_overwritten(node: Any, parts: dict[str, Any]) -> bool:
    """Whether a result is memory of its own that is read once."""
    made = parts.get(node.target) if node.op == "call_module" else None
    fresh = isinstance(made, torch.nn.Conv2d) or node.target in _FRESH
    return fresh and len(node.users) == 1


# Operations whose result is memory of its own, beside convolutions.
_FRESH = {operator.add, operator.iadd, torch.add, torch.cat}


def _fold(convolution: Any, norm: Any) -> None:
    # In float64: products of rounded factors would add up over many layers.
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    bias = torch.zeros_like(norm.running_mean) if convolution.bias is None else convolution.bias
    bias = (bias.double() - norm.running_mean.double()) * scale
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    weight = convolution.weight.double() * scale[:, None, None, None]
    kind = convolution.weight.dtype
    convolution.weight = torch.nn.Parameter(weight.to(kind), requires_grad=False)
    convolution.bias = torch.nn.Parameter(bias.to(kind), requires_grad=False)
