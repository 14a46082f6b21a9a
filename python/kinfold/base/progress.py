"""Progress bars: on a terminal, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T], what: str, *, verbose: bool = True, total: int | None = None
) -> Any:
    """Iterate with a bar on stderr if that is a terminal. Also a context manager with update(n)."""
    # There is no stream at all where it was closed, as for daemons.
    off = not (verbose and sys.stderr is not None and sys.stderr.isatty())
    return tqdm(items, desc=what, total=total, disable=off, leave=False, unit="")
