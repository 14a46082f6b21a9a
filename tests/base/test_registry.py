"""The catalogues name what exists, and a wrong name is answered with the right ones."""

from __future__ import annotations

import pytest

from kinfold.base import registry
from kinfold.base.errors import FileFormatError


def test_every_kind_is_a_class_that_says_the_same_kind() -> None:
    kinds = registry.kinds()
    assert kinds
    for kind in kinds:
        assert registry.class_of(kind).kind == kind


def test_find_by_name() -> None:
    assert registry.find("index", "Flat").__name__ == "FlatIndex"


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(ValueError, match="index: expected one of .*Flat.*, got 'Flatt'"):
        registry.find("index", "Flatt")


@pytest.mark.parametrize("kind", ["", "index", "index.", "index.Flatt", "os.system", "base.arrays"])
def test_unknown_kinds_in_files(kind) -> None:
    with pytest.raises(FileFormatError, match="does not know"):
        registry.class_of(kind)
