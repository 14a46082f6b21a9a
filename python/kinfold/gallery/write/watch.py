"""Keeps a gallery up to date while photos come and go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from kinfold.base.arrays import as_number
from kinfold.base.errors import KinfoldError
from kinfold.base.extras import require
from kinfold.gallery.write.changes import Changes
from kinfold.images.walk import EXTENSIONS, OTHERS

# Seconds: the longest rest that may be asked for, how often is looked whether to stop; and after how many rests an
# update comes though photos still do.
_MOST_SETTLE, _LOOKS, _PATIENCE = 3600.0, 0.25, 20


def watch(
    update: Callable[[], Changes],
    folders: Sequence[Path],
    inside: Path,
    *,
    settle: float,
    stop: Event | None,
) -> Iterator[Changes]:
    """Update now, and again whenever photos in the folders have changed and nothing more does; see ``Gallery.watch``.

    inside : the gallery, whose own files are none
    """
    settle = as_number(settle, "settle", least=0.0, most=_MOST_SETTLE)
    watched = require("watchfiles").watch
    ended = Event() if stop is None else stop
    own = str(inside.resolve())

    def matters(_: Any, path: str) -> bool:
        """Photos, and folders, which have no ending as a rule; hidden ones are never looked at."""
        name = os.path.basename(path)
        if name.startswith(".") or path == own or path.startswith(f"{own}/"):
            return False
        ending = os.path.splitext(name)[1].lower()
        return not ending or ending in EXTENSIONS or (ending not in OTHERS and os.path.isdir(path))

    # Watching begins before the first update: what comes meanwhile is seen.
    steps = watched(
        *(folder for folder in folders if folder.is_dir()),
        watch_filter=matters,
        step=max(1, int(1000 * settle)),
        debounce=max(1, int(1000 * settle * _PATIENCE)),
        rust_timeout=int(1000 * _LOOKS),
        stop_event=ended,
        raise_interrupt=True,
        yield_on_timeout=True,
    )
    next(steps)
    yield _told(update)
    for changed in steps:
        if changed:
            yield _told(update)


def _told(update: Callable[[], Changes]) -> Changes:
    """What an update did; where it cannot be done now, what it says: a later one may."""
    try:
        return update()
    except KinfoldError as error:
        return Changes(notes=[str(error)])
