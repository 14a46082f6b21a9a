"""Names of a ground truth and a list, as people and other systems write them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from kinfold.base.errors import GalleryError
from kinfold.gallery.names import as_names, by_form, listed_path, match_names

PATHS = ["a.jpg", "x/b.jpg", "y/b.png", "y/c.jpg", unicodedata.normalize("NFD", "é/ü.jpg")]


@pytest.mark.parametrize(("name", "path"), [
    ("a.jpg", "a.jpg"), ("a", "a.jpg"), ("./a.jpg", "a.jpg"), ("x//b.jpg", "x/b.jpg"), ("x/../x/b.jpg", "x/b.jpg"),
    ("x/b", "x/b.jpg"), ("b.png", "y/b.png"), ("c", "y/c.jpg"), ("none", None), ("", None), ("../a.jpg", None),
    ("é/ü.jpg", PATHS[4]), (PATHS[4], PATHS[4]), ("ü", PATHS[4]), ("/photos/a.jpg", "a.jpg"),
    ("/photos/y/c", "y/c.jpg"),
    ("/else/where/y/b.png", "y/b.png"), ("/else/where/c.jpg", "y/c.jpg"), ("/photos/c.jpg/none", None),
    ("a\0.jpg", None),
])  # fmt: skip
def test_what_a_name_means(name, path) -> None:
    assert match_names([name], PATHS, root=Path("/photos")) == [path]


def test_names_that_mean_several(tmp_path) -> None:
    for name in ("b", "/else/b"):
        with pytest.raises(GalleryError, match=r"may be x/b.jpg or y/b.png"):
            match_names([name], PATHS)
    forms = [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")]
    assert match_names(forms, forms) == forms


def test_names_of_a_list_are_whole_paths() -> None:
    forms, root = by_form(PATHS), Path("/photos")
    assert [listed_path(n, forms, root) for n in ("./x/b.jpg", "/photos/a.jpg", "é/ü.jpg")] == [
        "x/b.jpg", "a.jpg", PATHS[4],
    ]  # fmt: skip
    assert [
        listed_path(n, forms, root) for n in ("b.jpg", "x/b", "/photos/none", "/else/a.jpg", "")
    ] == [None] * 5


def test_names_from_any_column() -> None:
    names = ["a.jpg", "b/c.jpg"]
    for held in (names, tuple(names), np.array(names), map(Path, names)):
        assert as_names(held, "files") == names
    for nothing in (None, 3, np.nan):
        with pytest.raises(ValueError, match="^files: expected names or paths, got"):
            as_names(["a.jpg", nothing], "files")
    pandas = pytest.importorskip("pandas")
    column = pandas.array([*names, None], dtype="string")
    assert as_names(column[:2], "files") == names
    with pytest.raises(ValueError, match="^files: expected names or paths, got <NA>"):
        as_names(column, "files")
