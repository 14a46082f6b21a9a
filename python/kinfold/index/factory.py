"""Indexes by name, in faiss's spelling."""

from __future__ import annotations

from typing import Any

from kinfold.base.registry import catalogue, find


def index_factory(spec: str, dim: int, *, metric: str = "l2") -> Any:
    """An index from a description such as "Flat".

    Raises ValueError for a description that no index answers to, with those that there are.
    """
    names = catalogue("index")
    if not isinstance(spec, str) or spec not in names:
        raise ValueError(f"spec: expected one of {', '.join(names)}, got {spec!r}")
    return find("index", spec)(dim, metric=metric)
