"""Training that can be interrupted: everything that the next epoch depends on, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.state import add_prefix, strip_prefix
from kinfold.features.safetensors import read_safetensors, write_safetensors
from kinfold.features.weights import matching

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def save_checkpoint(
    path: str | os.PathLike[str], network: Any, optimiser: Any, progress: Mapping[str, Any]
) -> None:
    """Write a network, the momentum of its parameters, and how far the training is (JSON)."""
    names = {id(p): name for name, p in network.named_parameters()}
    momentum = {
        names[id(parameter)]: state["momentum_buffer"].detach().cpu().numpy()
        for parameter, state in optimiser.state.items()
        if state.get("momentum_buffer") is not None
    }
    arrays = {**add_prefix("network", _arrays(network)), **add_prefix("momentum", momentum)}
    write_safetensors(path, arrays, {"progress": json.dumps(progress, allow_nan=False)})


def load_checkpoint(path: str | os.PathLike[str], network: Any, optimiser: Any) -> dict[str, Any]:
    """Bring network and optimiser to a checkpoint's state; returns how far the training was.

    Raises FileFormatError for a file that is damaged, or of another network.
    """
    arrays, metadata = read_safetensors(path)
    try:
        progress = json.loads(metadata["progress"])
    except (KeyError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: no checkpoint of a training: {error}") from error
    if not isinstance(progress, dict):
        raise FileFormatError(f"{path}: no checkpoint of a training")
    states = {key: torch.from_numpy(a) for key, a in strip_prefix("network", arrays).items()}
    # Copied into the parameters, which the optimiser holds on to.
    network.load_state_dict(matching(network, states, type(network).__name__))
    parameters = dict(network.named_parameters())
    for name, array in strip_prefix("momentum", arrays).items():
        if name not in parameters or parameters[name].shape != array.shape:
            raise FileFormatError(
                f"{path}: momentum of '{name}', which is no parameter of that shape"
            )
        optimiser.state[parameters[name]]["momentum_buffer"] = torch.from_numpy(array).to(
            parameters[name].device
        )
    return progress


def save_weights(path: str | os.PathLike[str], network: Any, architecture: str | None) -> None:
    """Write a network's weights so that ``Extractor`` and ``features.weights`` read them: names, mean, std."""
    metadata = {} if architecture is None else {"architecture": architecture}
    for key in ("mean", "std"):
        if hasattr(network, key):
            metadata[key] = ",".join(repr(float(v)) for v in getattr(network, key))
    write_safetensors(path, _arrays(network), metadata)


def exists(folder: str | os.PathLike[str] | None, name: str) -> bool:
    """Whether a folder holds a file of that name."""
    return folder is not None and (Path(folder) / name).is_file()


def _arrays(network: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: t.detach().cpu().numpy() for name, t in network.state_dict().items()}
