"""Search options: what they may be, and which values are worth trying."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kinfold.base.arrays import as_number

# How many times k a second look re-scores.
as_factor = partial(as_number, least=1.0, most=1e6)


def as_truth(x: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(x, (bool, np.bool_)):
        raise ValueError(f"{name}: expected True or False, got {x!r}")
    return bool(x)


def ladder(least: int, most: int) -> tuple[int, ...]:
    """Whole numbers from least to most, each about half again or a third more than the last."""
    steps = {least, most}
    step = least
    while step < most:
        steps |= {step, step + step // 2}
        step *= 2
    return tuple(sorted(value for value in steps if value <= most))


def shortlist(k: int, factor: float) -> int:
    """How many rows the second look re-scores."""
    return int(np.ceil(k * as_factor(factor, "refine_factor")))


def refinements(n: int, k: int) -> dict[str, tuple[int, ...]]:
    """What a second look at n rows for k neighbours may re-score, as multiples of k: up to all rows, or 1,024."""
    most = int(np.ceil(min(1024, n / k)))
    return {"refine_factor": (*(1 << b for b in range(11) if 1 << b < most), most)}
