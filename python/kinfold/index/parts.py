"""The parts of an index: whether they fit together."""

from __future__ import annotations

from typing import Any

from kinfold.base.metrics import inner_metric


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
