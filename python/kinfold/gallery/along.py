"""How second looks go along the graph of a gallery: what was chosen, and the graph and alpha that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfold.base.arrays import as_choice, as_count, as_number
from kinfold.graph.flow import as_alpha

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "alpha": lambda x: x if x == "auto" else as_alpha(x, "alpha"),
    "k_query": lambda x: as_count(x, "k_query"),
    "k": lambda x: x if x == "auto" else as_count(x, "k"),
    "gamma": lambda x: as_number(x, "gamma", least=0, most=np.inf, open=True),
}


@dataclass(frozen=True)
class Along:
    """What was chosen; None: as the stage has it, in the gallery's own graph.

    alpha : the share that flows on at each step, from 0 to below 1, or "auto": see ``graph.reach.suited_alpha``
    k_query : photos of the first answer that the flow starts from
    k : length of the lists of neighbours that the graph is made of, or "auto": see ``graph.reach.suited_graph``
    gamma : the power that turns similarities into weights
    """

    alpha: float | str | None = None
    k_query: int | None = None
    k: int | str | None = None
    gamma: float | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | Along | None) -> Along:
        """Checked. Raises ValueError for other names, and for values that are none."""
        if isinstance(given, Along):
            return given
        chosen = {}
        for name, value in (given or {}).items():
            as_choice(name, "along", _CHECKS)
            chosen[name] = None if value is None else _CHECKS[name](value)
        return cls(**chosen)
