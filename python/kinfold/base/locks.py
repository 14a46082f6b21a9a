"""Locks that a forked child finds free: the threads that held them are not there to give them back."""

from __future__ import annotations

import os
from _thread import RLock
from collections.abc import Callable
from weakref import WeakSet


class Lock(RLock):  # type: ignore[misc]
    """A lock that its thread may take again. Entered and left in C: no interrupt falls between taking and holding.

    What holds one can be copied and pickled; the copy has a lock of its own.
    """

    def __init__(self) -> None:
        _locks.add(self)

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


_locks: WeakSet[Lock] = WeakSet()


def _free_in_child() -> None:
    for lock in _locks:
        # What the forking thread itself holds, it goes on holding in the child.
        if not lock._is_owned():  # type: ignore[attr-defined]
            lock._at_fork_reinit()  # type: ignore[attr-defined]


def in_child(function: Callable[[], None]) -> None:
    """Have a function called in each child that is forked."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


in_child(_free_in_child)
