"""What a miner looks at."""

from __future__ import annotations

from typing import Any

from kinfold.base.arrays import Vectors, as_vectors


def as_mined(x: Any, *, dim: int | None = None) -> Vectors:
    """The descriptors (n, d) of a batch as they are now: of tensors, whatever device and gradients they have.

    The rows that a miner chooses have no derivative, so that a loop may hand it what its loss is computed from.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu()
    return as_vectors(x, "descriptors", dim=dim)
