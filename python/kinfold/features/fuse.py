"""Batch normalisation folded into the convolutions before it: the same function in fewer passes over memory."""

from __future__ import annotations

import copy
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
    graph_module.recompile()
    return graph_module.eval()


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
