"""Former names of modules give the modules of today, and only those."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from kinfold.base.moved import MOVED

NEEDS = {"gallery": "cv2"}


@pytest.mark.parametrize("name", MOVED)
def test_a_former_name_is_the_module_of_today(name: str) -> None:
    if name.split(".")[0] in NEEDS:
        pytest.importorskip(NEEDS[name.split(".")[0]])
    today = importlib.import_module(f"kinfold.{MOVED[name]}")
    assert importlib.import_module(f"kinfold.{name}") is today
    assert today.__name__ == today.__spec__.name == f"kinfold.{MOVED[name]}"


def test_from_imports_too() -> None:
    code = "from kinfold.local.words import VisualWords as a; from kinfold.words import VisualWords as b; assert a is b"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_missing_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"kinfold\.local\.nothing"):
        importlib.import_module("kinfold.local.nothing")
