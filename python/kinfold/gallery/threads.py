"""Work that is done for each of several things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kinfold.base.threads import get_threads

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What the function gives of each item, in their order; in as many threads as a call may use."""
    with ThreadPoolExecutor(max(1, get_threads())) as pool:
        return list(pool.map(function, items))
