"""What a room offers by name: found when it is first asked for, so that nothing heavy is imported with the room."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def offered(
    room: str, methods: Mapping[str, str], **more: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a room: what its catalogue names is there by its own name.

    methods : name -> "module:attribute"
    more : further names, attribute -> module
    """
    targets = (target.split(":") for target in methods.values())
    places = {attribute: module for module, attribute in targets} | more

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(importlib.import_module(places[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[room]), *places})

    return find, names


class _NamedModule(ModuleType):
    """A module that is called as the function of its name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


def call_by_name(module: str) -> None:
    """Let a module be called as the function that has its name.

    Once it is imported, a room's ``match`` is the module, whatever the documentation says that ``match`` does: so the
    module does it too.
    """
    sys.modules[module].__class__ = _NamedModule
