"""How many threads a call may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kinfold import _core
from kinfold.base.arrays import as_threads


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
