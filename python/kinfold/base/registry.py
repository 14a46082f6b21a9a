"""Finds methods by name. A room's ``__init__`` holds its catalogue: name -> "module:attribute".

Factory, command-line choices, saved kinds, documentation and the general tests are driven by the
catalogues, so a new method is one file and one line.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from kinfold.base.errors import FileFormatError

# Rooms whose METHODS can be saved (or what SAVED names, where those are others), and the name that files know them by:
# it stays where methods move to another room. Looked up by name so that this floor imports nothing above it.
ROOMS = {
    "transform": "transform",
    "quantize": "quantize",
    "index": "index",
    "index.coarse": "index",
    "index.codecs": "index",
    "index.proposers": "index",
    "graph": "graph",
    "manifold": "manifold",
    "words": "local",
    "aggregate": "local",
    "features": "features",
    "local": "local",
    "learn": "learn",
    "gallery": "gallery",
}


class Entry(str):
    """ "module:attribute" of a method, with what else its catalogue says of it.

    slot : where in an index it may stand: "coarse", "codec", "proposer", "signs", "transform"
    spelling : how `index_factory` spells it, as a pattern; its groups are what the method is made with
    """

    slot: str
    spelling: str

    def __new__(cls, target: str, *, slot: str = "", spelling: str = "") -> Entry:
        made = super().__new__(cls, target)
        made.slot, made.spelling = slot, spelling
        return made


def resolve(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def catalogue(room: str) -> Mapping[str, str]:
    """The METHODS of a room."""
    methods: Mapping[str, str] = importlib.import_module(f"kinfold.{room}").METHODS
    return methods


def find(room: str, name: str) -> Any:
    """A room's method by name, or ValueError with the names that there are."""
    methods = catalogue(room)
    if name not in methods:
        raise ValueError(f"{room}: expected one of {', '.join(methods)}, got {name!r}")
    return resolve(methods[name])


def kinds(slot: str | None = None) -> dict[str, str]:
    """All kinds that can be saved, or those that may stand in a slot of an index: kind -> "module:class"."""
    return {
        f"{saved}.{name}": target
        for room, saved in ROOMS.items()
        for name, target in _saved(room).items()
        if slot is None or getattr(target, "slot", "") == slot
    }


def _saved(room: str) -> Mapping[str, str]:
    saved: Mapping[str, str] = getattr(
        importlib.import_module(f"kinfold.{room}"), "SAVED", catalogue(room)
    )
    return saved


def class_of(kind: str) -> Any:
    """The class of a saved kind such as "index.Flat"."""
    known = kinds()
    if kind not in known:
        raise FileFormatError(f"kind: this version of kinfold does not know {kind!r}")
    return resolve(known[kind])
