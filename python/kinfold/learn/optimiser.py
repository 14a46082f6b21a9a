"""Optimisers by name, with groups of parameters that have rates of their own, and their state by parameter's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

OPTIMISERS = ("sgd", "adam", "adamw")


def make_optimiser(
    name: str, groups: list[dict[str, Any]], *, rate: float, momentum: float, weight_decay: float
) -> Any:
    """Stochastic gradient descent with momentum, Adam (Kingma & Ba, ICLR 2015), or AdamW (Loshchilov & Hutter, ICLR
    2019), the last two with momentum as their first beta.
    """
    kind = as_choice(name, "optimiser", OPTIMISERS)
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=momentum, weight_decay=weight_decay)
    make = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    return make(groups, lr=rate, betas=(momentum, 0.999), weight_decay=weight_decay)


def grouped(
    network: Any, parameters: Iterable[Any] | None
) -> tuple[list[dict[str, Any]], list[float]]:
    """Groups as torch.optim takes them, and the share of the rate that each has: its ``lr``, else 1.

    parameters : those that change, or groups of them; None for all of the network
    """
    given = list(network.parameters() if parameters is None else parameters)
    if not given:
        raise ValueError("parameters: expected at least one")
    if not isinstance(given[0], dict):
        given = [{"params": given}]
    groups, shares = [], []
    for group in given:
        members = list(group["params"])
        for parameter in members:
            parameter.requires_grad_(True)
        groups.append({**{k: v for k, v in group.items() if k != "lr"}, "params": members})
        shares.append(float(group.get("lr", 1.0)))
    return groups, shares


def optimiser_arrays(network: Any, optimiser: Any) -> dict[str, NDArray[Any]]:
    """The optimiser's state: "parameter/what" -> array."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": np.asarray(torch.as_tensor(value).detach().cpu().numpy())
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if value is not None
    }


def load_optimiser(
    network: Any, optimiser: Any, arrays: Mapping[str, NDArray[Any]], path: Any
) -> None:
    """Bring an optimiser of the network's parameters to a stored state. FileFormatError where it is of others."""
    parameters = dict(network.named_parameters())
    for name, array in arrays.items():
        of, _, key = name.rpartition("/")
        if of not in parameters or array.shape not in ((), tuple(parameters[of].shape)):
            raise FileFormatError(f"{path}: {key} of '{of}', which is no parameter of that shape")
        parameter = parameters[of]
        value = torch.from_numpy(np.array(array))
        # Counts of steps stay where torch keeps them, beside the processor.
        optimiser.state[parameter][key] = value.to(parameter.device) if array.shape else value
