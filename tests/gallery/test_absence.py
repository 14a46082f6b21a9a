"""What is not there is not always deleted, and what could not be read may be readable later."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from kinfold import Gallery
from kinfold.base.errors import GalleryError, ImageError
from kinfold.gallery import describe

from .conftest import SMALL, noise, small_gallery, small_photos, write_photo


@pytest.fixture
def gallery(tmp_path):
    """Twenty photos: half in the folder, half in ``inner``."""
    photos = small_photos(tmp_path / "photos", 10)
    small_photos(photos / "inner", 10, first=10)
    with Gallery.create(tmp_path / "g.kin", **SMALL) as made:
        made.update(photos, verbose=False)
        yield made


def first(gallery: Gallery, number: int) -> str:
    return gallery.search(noise(number), top=1)[0].path


def test_an_empty_folder_is_no_order_to_forget(gallery, tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.rename(tmp_path / "elsewhere")
    photos.mkdir()  # the mount point without the mount
    for _ in range(2):
        with pytest.raises(GalleryError, match="is a drive not mounted.*--prune"):
            gallery.update(photos, verbose=False)
        assert len(gallery) == 20 and first(gallery, 3) == "3.jpg"
    (photos / "lost+found").mkdir()
    (photos / "README").write_text("the drive's")
    with pytest.raises(GalleryError, match="is a drive not mounted"):
        gallery.update(verbose=False)
    photos.rename(tmp_path / "mount")
    (tmp_path / "elsewhere").rename(photos)
    assert gallery.update(photos, verbose=False).unchanged == 20


def test_a_folder_that_is_gone_is_an_error(gallery, tmp_path) -> None:
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(FileNotFoundError):
        gallery.update(verbose=False)
    assert len(gallery) == 20


def test_all_may_be_removed_where_that_is_asked_for(gallery, tmp_path) -> None:
    photos = tmp_path / "photos"
    shutil.rmtree(photos)
    photos.mkdir()
    changes = gallery.update(photos, prune=True, verbose=False)
    assert changes.removed == 20 and len(gallery) == 0
    with pytest.raises(GalleryError, match="no photos yet"):
        gallery.search(noise(0))
    assert not list((gallery.path / "segments").iterdir())
    small_photos(photos, 2)
    gallery.update(photos, verbose=False)
    assert first(gallery, 1) == "1.jpg"


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("how", ["empty", "dead link"])
def test_a_subfolder_that_holds_nothing(gallery, tmp_path, how, prune) -> None:
    inner = tmp_path / "photos" / "inner"
    inner.rename(tmp_path / "drive")
    if how == "empty":
        inner.mkdir()
    else:
        inner.symlink_to(tmp_path / "nowhere")
    changes = gallery.update(prune=prune, verbose=False)
    assert (changes.removed, changes.kept) == ((10, 0) if prune else (0, 10))
    assert any("inner" in note and "--prune" in note for note in changes.notes) != prune
    assert len(gallery) == (10 if prune else 20)
    if not prune:
        assert first(gallery, 13) == "inner/13.jpg"


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_subfolder_without_rights_keeps_its_photos(
    gallery, tmp_path, as_nobody, mode, prune
) -> None:
    inner = tmp_path / "photos" / "inner"
    inner.chmod(mode)
    told = as_nobody(UPDATE, gallery.path, f"prune={prune}")
    inner.chmod(0o755)
    assert told.splitlines()[:2] == ["20 0 10", "[('inner', 'Permission denied')]"]
    assert "inner: cannot be read now; 10 photos" in told
    assert gallery.update(verbose=False).unchanged == 20


UPDATE = """
import sys; from kinfold import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    c = gallery.update(verbose=False, **eval(f"dict({sys.argv[2]})"))
    print(len(gallery), c.removed, c.kept); print(c.failed); print(c.notes)
"""


@pytest.mark.parametrize("missing", [1, 2, 3, 5, 15])
@pytest.mark.parametrize("prune", [False, True])
def test_many_missing_photos_stay_until_that_is_confirmed(
    gallery, tmp_path, missing, prune
) -> None:
    (tmp_path / "photos" / "inner" / "notes.txt").write_text("it is not empty")
    for number in range(5, 5 + missing):
        folder = tmp_path / "photos" / ("inner" if number > 9 else "")
        (folder / f"{number}.jpg").unlink()
    write_photo(tmp_path / "photos" / "new.jpg", noise(50))
    changes = gallery.update(prune=prune, verbose=False)
    gone = missing if prune or missing <= 3 else 0
    assert (changes.added, changes.removed, changes.kept) == (1, gone, missing - gone)
    assert len(gallery) == 21 - gone and first(gallery, 50) == "new.jpg"
    assert any(f"{missing} of 20 photos are not in the folder" in n for n in changes.notes) == (
        not gone
    )
    # What stayed is found, and is known when it comes back.
    if not gone:
        assert first(gallery, 5) == "5.jpg"
        small_photos(tmp_path / "photos", 5, first=5)
        if missing == 5:
            assert gallery.update(verbose=False).unchanged == 21


def test_most_of_a_few_photos_stay(tmp_path) -> None:
    photos = small_photos(tmp_path / "photos", 4)
    small_gallery(tmp_path / "g.kin", photos)
    for number in range(3):
        (photos / f"{number}.jpg").unlink()
    with Gallery.open(tmp_path / "g.kin") as gallery:
        assert gallery.update(verbose=False).kept == 3 and len(gallery) == 4


def test_photos_that_others_took_the_place_of_are_removed(gallery, tmp_path) -> None:
    for number in range(5):
        (tmp_path / "photos" / f"{number}.jpg").unlink()
    small_photos(tmp_path / "photos", 5, first=30)
    changes = gallery.update(verbose=False)
    assert (changes.added, changes.removed, changes.kept) == (5, 5, 0)


def test_a_list_that_lost_most_names_removes_little(gallery) -> None:
    changes = gallery.update(files=["1.jpg"], verbose=False)
    assert (changes.kept, changes.removed) == (19, 0) and len(gallery) == 20
    assert gallery.update(files=["1.jpg"], prune=True, verbose=False).removed == 19


def test_many_moved_photos_are_no_loss(gallery, tmp_path) -> None:
    (tmp_path / "photos" / "inner").rename(tmp_path / "photos" / "other")
    changes = gallery.update(verbose=False)
    assert (changes.moved, changes.removed, changes.kept) == (10, 0, 0)


# --- failures and their causes ---------------------------------------------------------------------------


def test_a_photo_without_rights_is_tried_again(gallery, tmp_path, as_nobody) -> None:
    new = tmp_path / "photos" / "new.jpg"
    write_photo(new, noise(50))
    new.chmod(0)
    assert as_nobody(UPDATE, gallery.path, "").startswith(
        "20 0 0\n[('new.jpg', 'cannot be read: Permission"
    )
    table = (gallery.path / "photos.sqlite").read_bytes()
    as_nobody(UPDATE, gallery.path, "")
    assert (gallery.path / "photos.sqlite").read_bytes() == table  # nothing new, nothing written
    new.chmod(0o644)
    assert as_nobody(UPDATE, gallery.path, "").startswith("21 0 0\n[]")
    assert first(gallery, 50) == "new.jpg"


def test_a_changed_photo_that_cannot_be_read_stays_as_it_was(gallery, tmp_path, as_nobody) -> None:
    photo = tmp_path / "photos" / "3.jpg"
    os.utime(photo, (1, 1))
    photo.chmod(0)
    told = as_nobody(UPDATE, gallery.path, "")
    photo.chmod(0o644)
    assert told.startswith("20 0 0\n[('3.jpg', 'cannot be read: Permission")
    assert first(gallery, 3) == "3.jpg"
    write_photo(photo, noise(60))
    assert gallery.update(verbose=False).changed == 1
    assert first(gallery, 60) == "3.jpg"


@pytest.mark.parametrize("cause", ["access", "decoder", "memory"])
@pytest.mark.parametrize("known", [False, True])
def test_what_stands_in_the_way_outside_of_a_file_may_go_away(
    gallery, tmp_path, monkeypatch, cause, known
) -> None:
    name = "3.jpg" if known else "new.jpg"
    write_photo(tmp_path / "photos" / name, noise(50))
    real, tries = describe.decode, []

    def decode(path: Path, **options: object) -> object:
        tries.append(path)
        if cause != "gone":
            raise ImageError("not today", cause)
        return real(path, **options)

    monkeypatch.setattr(describe, "decode", decode)
    for _ in range(2):
        changes = gallery.update(verbose=False)
        assert changes.failed == [(name, "not today")] and len(gallery) == 20
    assert len(tries) == 2
    cause = "gone"
    changes = gallery.update(verbose=False)
    assert changes.failed == [] and first(gallery, 50) == name
    assert (changes.added, changes.changed) == ((0, 1) if known else (1, 0))
    assert gallery.update(verbose=False).failed == [] and len(tries) == 3


def test_a_damaged_file_is_tried_again_when_it_changes(gallery, tmp_path, monkeypatch) -> None:
    new = tmp_path / "photos" / "new.jpg"
    new.write_bytes(b"no photo")
    assert [path for path, _ in gallery.update(verbose=False).failed] == ["new.jpg"]
    monkeypatch.setattr(describe, "decode", lambda *_, **__: pytest.fail("it was tried again"))
    assert [path for path, _ in gallery.update(verbose=False).failed] == ["new.jpg"]
    monkeypatch.undo()
    write_photo(new, noise(50))
    assert gallery.update(verbose=False).failed == [] and first(gallery, 50) == "new.jpg"


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("listed", ["NFC", "NFD"])
def test_names_that_look_alike_mean_the_same(tmp_path, written, listed) -> None:
    name = unicodedata.normalize(written, "Zoë/café.jpg")
    write_photo(tmp_path / "photos" / name, noise(1))
    small_photos(tmp_path / "photos", 3)
    with Gallery.create(tmp_path / "g.kin", **SMALL) as gallery:
        given = unicodedata.normalize(listed, "Zoë/café.jpg")
        whole = str(tmp_path / "photos" / given)
        changes = gallery.update(
            tmp_path / "photos", files=[given, whole, f"./{given}", "./2.jpg"], verbose=False
        )
        assert changes.failed == [] and len(gallery) == 2
        ids = {photo.path: photo.id for photo in gallery._reader.table.described()}
        names = [
            given,
            whole,
            f"./{given}",
            unicodedata.normalize(listed, "café"),
            f"/elsewhere/{given}",
            "none",
        ]
        assert gallery.ids_of(names) == [ids[name]] * 5 + [None]


def test_names_written_both_ways_are_told_apart(tmp_path) -> None:
    forms = [unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD")]
    for number, name in enumerate(forms):
        write_photo(tmp_path / "photos" / name, noise(number))
    if len(list((tmp_path / "photos").iterdir())) < 2:
        pytest.skip("this file system takes both for one")
    with Gallery.create(tmp_path / "g.kin", **SMALL) as gallery:
        gallery.update(tmp_path / "photos", files=forms, verbose=False)
        ids = {photo.path: photo.id for photo in gallery._reader.table.described()}
        assert gallery.ids_of(forms) == [ids[name] for name in forms]


def test_a_folder_whose_name_is_no_text(tmp_path) -> None:
    small_photos(tmp_path / "plain", 3)
    photos = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        (tmp_path / "plain").rename(photos)
    except OSError:
        pytest.skip("this system refuses such names")
    path = photos.with_name(photos.name + ".kin")
    small_gallery(path, photos)
    with Gallery.open(path) as gallery:
        assert gallery.update(verbose=False).unchanged == 3
        assert first(gallery, 1) == "1.jpg"
        assert gallery.info()["photos_folder"] == str(photos)
