"""Which pooling an extractor has, by name or as a module, and what it is called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice
from kinfold.base.extras import require
from kinfold.base.registry import resolve
from kinfold.features.network import Network
from kinfold.features.pool import LEARNT, METHODS as PLAIN

POOLINGS = {**PLAIN, **LEARNT}
# Other names: the mean is what SPoC without its prior is, and a class token is taken as it is.
_SAME = {"mean": "spoc"}
CLASS_TOKEN = "cls"


def pooling_of(pooling: Any, p: float, network: Network, weights: Any) -> tuple[Any, str]:
    """A pooling and its name, of the catalogue or of a user's own class.

    pooling : a name, or a module; None for "gem", or what takes codes as they are
    weights : of which "learnt-rmac" is read
    Raises ValueError for an unknown name, or one that does not go with codes.
    """
    if pooling is None:
        pooling = "flatten" if network.codes else "gem"
    if not isinstance(pooling, str):
        return pooling, name_of(pooling)
    name = _SAME.get(pooling, pooling)
    if name == CLASS_TOKEN:
        return network.poolings("flatten", p), name
    if name == "spoc-centre":
        return network.poolings(name, p), "spoc"
    as_choice(name, "pooling", POOLINGS)
    if name not in LEARNT:
        return network.poolings(name, p), name
    from kinfold.features.weights import read_weights

    if not isinstance(weights, (str, os.PathLike)) or weights == "random":
        raise ValueError(f"pooling: {name!r} is read from a file of weights, which has learnt it")
    return resolve(LEARNT[name]).of_weights(read_weights(weights)), name


def name_of(pool: Any) -> str:
    """The catalogue's name of a module, or its class's."""
    for name, target in POOLINGS.items():
        if type(pool).__name__ == target.partition(":")[2] and type(pool) is resolve(target):
            return name
    return type(pool).__name__


def options_of(pool: Any) -> Any:
    """What a pooling was made with, or None where it does not say."""
    return pool.options() if hasattr(pool, "options") else None


def plain_options(name: str, p: float, network: Network) -> Any:
    """The options of the pooling of that name with its defaults; None for one of the user's own."""
    return options_of(network.poolings(name, p)) if name in PLAIN else None


def restored(name: str, options: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The module of a name, with the options and the arrays that a file has of it.

    Raises ValueError, TypeError or FileFormatError for what is none.
    """
    torch = require("torch")
    from kinfold.features.weights import fill

    # Without memory for values: what a file merely claims allocates nothing.
    with torch.device("meta" if name in LEARNT else "cpu"):
        pool = resolve(POOLINGS[as_choice(name, "pooling", POOLINGS)])(**options)
    tensors = {key: torch.from_numpy(np.array(a)) for key, a in arrays.items()}
    if name == "rmac" and tensors.keys() == {"mean", "projection"}:
        if any(tensor.dtype != torch.float32 for tensor in tensors.values()):
            raise ValueError("pool: expected a whitening of float32")
        pool.adopt(tensors["mean"], tensors["projection"])
    fill(pool, tensors, name)
    return pool


def arrays_of(pool: Any) -> dict[str, NDArray[Any]]:
    """What a pooling has learnt: name -> array."""
    state = pool.state_dict() if hasattr(pool, "state_dict") else {}
    return {key: tensor.cpu().numpy() for key, tensor in state.items()}
