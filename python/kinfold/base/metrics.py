"""Metrics by name: the house's own, and what others call them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

METRICS = ("l2", "ip", "cosine")
_ALIASES = {
    "euclidean": "l2", "sqeuclidean": "l2", "squared_l2": "l2", "l2_squared": "l2",
    "inner_product": "ip", "inner product": "ip", "dot": "ip", "dot_product": "ip",
    "angular": "cosine", "cos": "cosine",
}  # fmt: skip


def as_metric(x: Any, name: str = "metric", known: Iterable[str] = METRICS) -> str:
    """One of the known metrics, in the house's spelling; upper case and common other names are understood."""
    choices = tuple(known)
    word = x.lower() if isinstance(x, str) else None
    metric = _ALIASES.get(word, word) if word is not None else None
    if metric not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {x!r}")
    return metric


def inner_metric(metric: str) -> str:
    """What vectors are compared by inside: of cosines, which are of unit vectors, the inner product."""
    return "l2" if metric == "l2" else "ip"
