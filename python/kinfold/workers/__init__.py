"""Things that work for this process: here, in processes of their own, or as actors of Ray; asked in one way.

    worker = start("process", make, *arguments)      make(*arguments) runs where the worker lives
    worker.ask("method", *arguments)                 goes off
    worker.answer()                                  what came of it, or the exception that the method raised

Several are asked before the first is waited for, so they work at the same time. A worker that ended raises `Ended` and
can be started anew; what it held is for whoever asks to give again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kinfold.base.arrays import as_choice
from kinfold.base.registry import resolve
from kinfold.workers.worker import Worker

# Where work is done: name -> "module:class".
PLACES: dict[str, str] = {
    "here": "kinfold.workers.here:Here",
    "process": "kinfold.workers.process:Process",
    "ray": "kinfold.workers.ray:Actor",
}


def start(place: str, make: Callable[..., Any], *arguments: Any) -> Worker:
    """A worker that holds what ``make(*arguments)`` gives; both must be picklable, but for "here".

    place : "here" (this process, when the answer is fetched), "process" (a new one), or "ray" (an actor)
    Raises ValueError for another place, MissingExtraError without Ray, and what ``make`` raises.
    """
    worker: Worker = resolve(PLACES[as_choice(place, "workers", tuple(PLACES))])(make, arguments)
    return worker


__all__ = ["PLACES", "Worker", "start"]
