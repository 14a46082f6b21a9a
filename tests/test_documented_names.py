"""The names that the pages of methods give as the library's are there, and are what the pages say."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import kinfold

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "kinfold"
PAGES = sorted((ROOT / "docs" / "methods").glob("*.md"))
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# Parts that pages call by a name and that are no one's to import.
HEAVY = {"features": "torch", "learn": "torch", "local": "cv2", "rerank": "cv2", "gallery": "cv2"}


def code_of(text: str) -> list[str]:
    return [
        name for name in re.findall("`([^`]+)`", text) if re.fullmatch(r"[A-Za-z_][\w.]*", name)
    ]


def titles() -> list[str]:
    """What the table of methods and the titles of the pages name."""
    table = [
        line
        for line in (ROOT / "docs/methods/index.md").read_text().splitlines()
        if line[:3] == "| ["
    ]
    names = [name for line in table for name in code_of(line.split("|")[2])]
    names += [name for page in PAGES for name in code_of(page.read_text().splitlines()[0])]
    # A method of an index, not a name of the room.
    return sorted({*names} - {"index.tune", "kinfold.datasets", "kinfold.learn"})


def found(name: str) -> Iterator[object]:
    """What the library has by that name: at its top, and in its rooms."""
    for where in ("kinfold", *(f"kinfold.{room}" for room in ROOMS)):
        value: object = importlib.import_module(where)
        try:
            for part in name.split("."):
                value = getattr(value, part)
        except AttributeError:
            continue
        yield value


@pytest.mark.parametrize("name", titles())
def test_a_documented_name_is_there(name: str) -> None:
    for package in ("torch", "cv2", "sklearn"):
        pytest.importorskip(package)
    if "." in name:
        try:
            assert importlib.import_module(f"kinfold.{name}")
            return
        except ModuleNotFoundError:
            pass
        module, _, attribute = name.rpartition(".")
        if module[0].islower():
            assert callable(getattr(importlib.import_module(f"kinfold.{module}"), attribute))
            return
    values = list(found(name))
    assert values and all(map(callable, values)), name


def functions_named_as_their_modules() -> list[str]:
    """Modules whose function of the same name a page writes about."""
    words = {name.rpartition(".")[2] for page in PAGES for name in code_of(page.read_text())}
    named = []
    for path in sorted(PACKAGE.glob("*/*.py")):
        # Names of protocols, engines and the like are words, not functions.
        if path.stem in words and re.search(rf"^def {path.stem}\(", path.read_text(), re.M):
            named.append(f"{path.parent.name}.{path.stem}")
    return named


@pytest.mark.parametrize("name", functions_named_as_their_modules())
@pytest.mark.parametrize("first", ["module", "room"])
def test_a_function_is_not_hidden_by_its_module(name: str, first: str) -> None:
    room, _, function = name.partition(".")
    pytest.importorskip(HEAVY.get(room, "numpy"))
    order = [
        f"from kinfold.{name} import {function} as it",
        f"from kinfold.{room} import {function}",
    ]
    code = "\n".join([
        *(order if first == "module" else order[::-1]),
        f"assert callable({function}), {function}",
        f"try: {function}(no_such_option=0)",
        "except TypeError as error: assert 'no_such_option' in str(error) or 'missing' in str(error), error",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_shows_is_there(room: str) -> None:
    for package in ("torch", "cv2", "sklearn"):
        pytest.importorskip(package)
    module = importlib.import_module(f"kinfold.{room}")
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, ModuleType) or inspect.isbuiltin(value):
            continue
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        module.nothing_of_the_kind  # noqa: B018
    assert kinfold.__version__
