"""Training that can be interrupted: everything that the next batch depends on, in one safetensors file."""

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
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.safetensors import read_safetensors, write_safetensors
from kinfold.features.weights import POOL, matching, state_arrays
from kinfold.learn.optimiser import load_optimiser, optimiser_arrays

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

Arrays = dict[str, np.ndarray[Any, Any]]


def save_checkpoint(
    path: str | os.PathLike[str],
    network: Any,
    optimiser: Any,
    progress: Mapping[str, Any],
    more: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> None:
    """Write a network, the state of its optimiser, how far the training is (JSON), and further arrays."""
    arrays = {
        **add_prefix("network", state_arrays(network)),
        **add_prefix("optimiser", optimiser_arrays(network, optimiser)),
        **add_prefix("more", dict(more or {})),
    }
    write_safetensors(path, arrays, {"progress": json.dumps(progress, allow_nan=False)})


def load_checkpoint(path: str | os.PathLike[str], network: Any, optimiser: Any) -> dict[str, Any]:
    """Bring network and optimiser to a checkpoint's state; returns how far the training was.

    Raises FileFormatError for a file that is damaged, or of another network.
    """
    return load_all(path, network, optimiser)[0]


def load_all(
    path: str | os.PathLike[str], network: Any, optimiser: Any
) -> tuple[dict[str, Any], Arrays]:
    """The same; returns the further arrays too."""
    arrays, metadata = read_safetensors(path)
    try:
        progress = json.loads(metadata["progress"])
    except (KeyError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: no checkpoint of a training: {error}") from error
    if not isinstance(progress, dict):
        raise FileFormatError(f"{path}: no checkpoint of a training")
    # Copied into the parameters, which the optimiser holds on to.
    restore(network, strip_prefix("network", arrays))
    load_optimiser(network, optimiser, strip_prefix("optimiser", arrays), path)
    return progress, strip_prefix("more", arrays)


def restore(network: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Bring a network to a state of ``state_arrays``. FileFormatError where it is of another."""
    states = {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
    network.load_state_dict(matching(network, states, type(network).__name__))


def save_weights(path: str | os.PathLike[str], network: Any, architecture: str | None) -> None:
    """Write a network's weights so that ``Extractor`` and ``features.weights`` read them: names, mean, std.

    network : of one that trains a ``backbone`` with a head that serves the training alone, the backbone is written; and
        with a ``pool`` that is learnt too, that beside it
    """
    pool = getattr(network, "pool", None)
    network = getattr(network, "backbone", network)
    metadata = {} if architecture is None else {"architecture": architecture}
    arrays = state_arrays(network)
    if isinstance(pool, LearntRMAC):
        metadata["pool"] = json.dumps(pool.options())
        arrays |= {f"{POOL}{key}": array for key, array in state_arrays(pool).items()}
    for key in ("mean", "std"):
        if hasattr(network, key):
            metadata[key] = ",".join(repr(float(v)) for v in getattr(network, key))
    write_safetensors(path, arrays, metadata)


def exists(folder: str | os.PathLike[str] | None, name: str) -> bool:
    """Whether a folder holds a file of that name."""
    return folder is not None and (Path(folder) / name).is_file()
