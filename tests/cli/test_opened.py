"""What a command says where the gallery that it was given is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.cli.opened import is_gallery, opened


def looks_like_one(path: Path) -> Path:
    path.mkdir()
    (path / "MANIFEST.json").write_text("{}")
    (path / "photos.sqlite").write_bytes(b"")
    return path


def test_a_gallery_has_a_manifest_and_a_table(tmp_path) -> None:
    whole = looks_like_one(tmp_path / "a.kin")
    assert is_gallery(whole)
    (whole / "photos.sqlite").unlink()
    assert not is_gallery(whole) and not is_gallery(tmp_path / "none")


def test_the_gallery_of_a_folder_is_offered(tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(GalleryError, match="to make one of its photos: kinfold index"):
        opened(str(tmp_path / "photos"))
    looks_like_one(tmp_path / "photos.kin")
    with pytest.raises(GalleryError, match=r"did you mean .*photos\.kin\?"):
        opened(str(tmp_path / "photos"))


def test_arguments_in_the_wrong_order_are_noticed(tmp_path) -> None:
    gallery = looks_like_one(tmp_path / "a.kin")
    with pytest.raises(GalleryError, match="is one: the gallery comes first, then the photo"):
        opened(str(tmp_path / "photo.jpg"), str(gallery))


def test_a_damaged_gallery_says_so_itself(tmp_path) -> None:
    with pytest.raises(FileFormatError, match=r"MANIFEST\.json: expected a format version$"):
        opened(str(looks_like_one(tmp_path / "a.kin")))
