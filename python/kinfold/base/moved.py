"""Modules that were elsewhere before: importing the former name gives the module of today."""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Former name -> name of today, both under kinfold.
MOVED = {
    "classify.bags": "base.bags",
    "gallery.build": "gallery.write.build",
    "gallery.explain": "gallery.views.explain",
    "gallery.groups": "gallery.views.groups",
    "gallery.judge": "gallery.views.judge",
    "gallery.page": "gallery.views.page",
    "gallery.state": "gallery.parts",
    "gallery.threads": "base.threads",
    "gallery.update": "gallery.write.update",
    "index.store": "index.rows",
    "local.asmk": "words.asmk",
    "local.bag_of_words": "words.bag_of_words",
    "local.fisher": "aggregate.fisher",
    "local.hamming_embedding": "words.hamming_embedding",
    "local.inverted_file": "words.inverted_file",
    "local.postings": "words.postings",
    "local.t_embedding": "aggregate.t_embedding",
    "local.vlad": "aggregate.vlad",
    "local.words": "words.words",
}


class _Forwarded(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        room, _, inside = name.partition(".")
        return ModuleSpec(name, self) if room == "kinfold" and inside in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        today = MOVED[module.__name__.partition(".")[2]]
        sys.modules[module.__name__] = importlib.import_module(f"kinfold.{today}")


def forward() -> None:
    """Understand former names from now on; they are asked for last."""
    sys.meta_path.append(_Forwarded())
