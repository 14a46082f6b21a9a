"""How many threads a call may use, and work that is done for each of several things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from kinfold import _core
from kinfold.base.arrays import as_threads

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def get_threads() -> int:
    """Threads that a call may use, the caller included: set_threads, else KINFOLD_THREADS, else the affinity."""
    return _core.threads()


def set_threads(threads: int) -> None:
    """Bound the threads of all later calls; 0 restores the default."""
    _core.set_threads(as_threads(threads))


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Bound the threads within a block."""
    before = get_threads()
    set_threads(threads)
    try:
        yield
    finally:
        set_threads(before)


def in_threads(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What the function gives of each item, in their order; in as many threads as a call may use."""
    with ThreadPoolExecutor(max(1, get_threads())) as pool:
        return list(pool.map(function, items))
