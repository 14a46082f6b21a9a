"""Silences Pillow's warnings about odd files: what is wrong with a file is told by ImageError, or harmless."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from kinfold.base.locks import Lock, in_child

_lock = Lock()
_inside = 0
_saved: warnings.catch_warnings[None] | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings within the block.

    ``warnings.catch_warnings`` swaps a list of the whole process: nested by two threads it may restore the
    wrong one. So the first thread in swaps, and the last one out restores.
    """
    global _inside, _saved
    with _lock:
        if _inside == 0:
            _saved = warnings.catch_warnings()
            _saved.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _saved is not None:
                _saved.__exit__(None, None, None)
                _saved = None


def _leave() -> None:
    """A forked child has none of the threads that were inside."""
    global _inside, _saved
    if _saved is not None:
        _saved.__exit__(None, None, None)
    _inside, _saved = 0, None


in_child(_leave)
