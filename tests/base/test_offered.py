"""Names that a room offers, and modules that are called by their function's name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from kinfold.base.offered import call_by_name, offered


def test_names_of_the_catalogue_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    room = ModuleType("a_room")
    room.here = 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_room", room)
    find, names = offered("a_room", {"Flat": "json:JSONDecoder"}, sqrt="math")
    import json
    import math

    assert find("JSONDecoder") is json.JSONDecoder and find("sqrt") is math.sqrt
    assert {"JSONDecoder", "sqrt", "here"} <= set(names()) and "Flat" not in names()
    for name in ("Flat", "pi"):
        with pytest.raises(AttributeError, match=f"module 'a_room' has no attribute '{name}'"):
            find(name)


def test_a_module_is_called_as_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_room.twice")
    module.twice = lambda x, *, times=2: times * x  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_room.twice", module)
    call_by_name("a_room.twice")
    assert module(4) == 8 and module(4, times=3) == 12  # type: ignore[operator]
