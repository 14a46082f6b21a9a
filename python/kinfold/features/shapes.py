"""Shapes of what modules give, told without computing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def shape_of(module: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a module makes of an input of that shape.

    Nothing is computed, whatever size a file claims, unless the module is one of the user's own, which may only be able
    to run. Raises ValueError where the module does not take the input, or gives no tensor of numbers.
    """
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    try:
        with torch.inference_mode():
            if _is_known(module):
                shapes = {name: tensor.to("meta") for name, tensor in tensors.items()}
                given = torch.empty(shape, device="meta")
                out = torch.func.functional_call(module, shapes, (given,))
            else:
                device = next(iter(tensors.values()), torch.zeros(())).device
                out = module(torch.zeros(shape, device=device))
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"weights: the network does not take images {shape}: {reason}") from error
    if not isinstance(out, torch.Tensor):
        raise ValueError(
            f"weights: expected a network that gives a tensor, got {type(out).__name__}"
        )
    return tuple(out.shape)


def _is_known(module: Any) -> bool:
    """Whether a module is made of torch's and this package's alone, which need no numbers to tell their shapes.

    Those of ``features.models`` hold graphs of others.
    """
    names = [type(part).__module__ for part in module.modules()]
    return all(
        name.startswith(("torch.nn.", "kinfold."))
        and not name.startswith("kinfold.features.models.")
        for name in names
    )
