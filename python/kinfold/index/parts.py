"""The parts of an index: whether they fit together, and what each is in a file, with its arrays under its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError
from kinfold.base.metrics import inner_metric
from kinfold.base.registry import kinds, resolve
from kinfold.base.state import JSON, Stateful, strip_prefix, take_param


def check_codec(codec: Any, dim: int, metric: str) -> None:
    """ValueError for a codec of another dimension or metric than the vectors that reach it."""
    wanted = inner_metric(metric)
    if codec.metric != wanted:
        raise ValueError(
            f'codec: expected the metric "{wanted}" for an index of "{metric}", got "{codec.metric}"'
        )
    if codec.dim != dim:
        raise ValueError(f"codec: expected dimension {dim}, got {codec.dim}")


def keeps_all(codec: Any) -> bool:
    """Whether a codec gives back the float32 vectors themselves."""
    return bool(codec.params().get("dtype") == "float32")


def check_fit(dim: int, metric: str, coarse: Any, codec: Any, transform: Any) -> None:
    """ValueError for parts that do not fit together, as far as untrained ones can tell."""
    check_codec(codec, codec.dim if transform is not None else dim, metric)
    if coarse.dim not in (None, codec.dim):
        raise ValueError(f"coarse: expected dimension {codec.dim}, got {coarse.dim}")
    halves = codec.kind == "index.LocalHalves"
    if halves and coarse.kind != "index.MultiCells":
        raise ValueError("coarse: expected MultiCells with codes of halves")
    if coarse.kind == "index.MultiCells" and codec.dim % 2:
        raise ValueError(f"coarse: a multi-index needs an even dimension, got {codec.dim}")


def described(part: Stateful | None) -> JSON:
    """A part's kind and parameters."""
    return None if part is None else {"kind": part.kind, "params": part.params()}


def part_from(params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    """The part in a slot from its description and its arrays; None where there is none and none is needed."""
    given = take_param(params, name, (dict, type(None)))
    own = strip_prefix(name, arrays)
    if given is None:
        if name not in ("transform", "signs") or own:
            raise FileFormatError(f"parameter '{name}': expected a description")
        return None
    known = kinds(name)
    if set(given) != {"kind", "params"} or given["kind"] not in known:
        raise FileFormatError(f"parameter '{name}': expected one of {', '.join(known)}")
    if not isinstance(given["params"], dict):
        raise FileFormatError(f"parameter '{name}': expected parameters")
    return resolve(known[given["kind"]]).from_state(given["params"], own)
