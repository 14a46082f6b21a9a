from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kinfold.images.walk import PhotoFile, survey, walk


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))


def paths(folder: Path, **options) -> list[str]:
    return [photo.path for photo in walk(folder, **options)]


def test_photos_sorted_with_slashes_and_nothing_else(tmp_path) -> None:
    make(
        tmp_path,
        "b.jpg",
        "a/z.PNG",
        "a/b/c.jpeg",
        "a.jpg",
        "ü/ß.webp",
        "a b.tif",
        "notes.txt",
        "jpg",
    )
    make(tmp_path, ".hidden.jpg", ".thumbs/x.jpg", "a/.git/y.jpg", "no_ending")
    assert paths(tmp_path) == ["a b.tif", "a.jpg", "a/b/c.jpeg", "a/z.PNG", "b.jpg", "ü/ß.webp"]
    assert paths(tmp_path / "a") == ["b/c.jpeg", "z.PNG"]
    assert paths(str(tmp_path), extensions=[".TXT"]) == ["notes.txt"]


def test_size_and_time(tmp_path) -> None:
    make(tmp_path, "one.jpg")
    os.utime(tmp_path / "one.jpg", ns=(5, 1_700_000_000_123_456_789))
    assert walk(tmp_path) == [PhotoFile("one.jpg", 7, 1_700_000_000_123_456_789)]


def test_an_empty_folder_has_no_photos(tmp_path) -> None:
    assert walk(tmp_path) == []


def test_loops_of_links_end(tmp_path) -> None:
    make(tmp_path, "a/photo.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "around.jpg").symlink_to("around.jpg")
    reported: list[tuple[str, str]] = []
    assert paths(tmp_path, on_error=lambda *what: reported.append(what)) == ["a/photo.jpg"]
    assert [path for path, _ in reported] == ["around.jpg"]


def test_links_are_followed_and_real_places_keep_their_names(tmp_path) -> None:
    make(tmp_path, "elsewhere/far.jpg", "photos/real/near.jpg")
    photos = tmp_path / "photos"
    (photos / "a_link_to_real").symlink_to(photos / "real")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "again").symlink_to(tmp_path / "elsewhere")
    (photos / "file.jpg").symlink_to(tmp_path / "elsewhere" / "far.jpg")
    assert paths(photos) == ["again/far.jpg", "file.jpg", "real/near.jpg"]


def test_dead_links_are_reported_only_where_they_look_like_photos(tmp_path) -> None:
    (tmp_path / "dead.jpg").symlink_to("nowhere")
    (tmp_path / "dead.txt").symlink_to("nowhere")
    with pytest.warns(UserWarning, match="skipped dead.jpg: No such file") as caught:
        assert walk(tmp_path) == []
    assert len(caught) == 1


def test_what_is_no_regular_file(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    make(tmp_path, "folder.jpg/inside.jpg")
    assert paths(tmp_path) == ["folder.jpg/inside.jpg"]


def test_unreadable_folders_are_reported_and_the_rest_goes_on(tmp_path, monkeypatch) -> None:
    make(tmp_path, "a/one.jpg", "closed/two.jpg", "z/three.jpg")
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    reported: list[tuple[str, str]] = []
    assert paths(tmp_path, on_error=lambda *what: reported.append(what)) == [
        "a/one.jpg",
        "z/three.jpg",
    ]
    assert reported == [("closed", "Permission denied")]
    with pytest.warns(UserWarning, match="skipped closed: Permission denied"):
        walk(tmp_path)
    with pytest.raises(PermissionError):
        walk(tmp_path / "closed")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_reported(tmp_path) -> None:
    bad = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(bad, "wb"):
        pass
    make(tmp_path, "good.jpg")
    with pytest.warns(UserWarning, match="not UTF-8"):
        assert paths(tmp_path) == ["good.jpg"]


def test_bad_arguments(tmp_path) -> None:
    make(tmp_path, "one.jpg")
    with pytest.raises(FileNotFoundError, match="folder: .* does not exist"):
        walk(tmp_path / "absent")
    with pytest.raises(NotADirectoryError, match="folder: expected a folder"):
        walk(tmp_path / "one.jpg")
    with pytest.raises(ValueError, match="extensions"):
        walk(tmp_path, extensions=".jpg")


# --- what could not be seen ------------------------------------------------------------------------


def test_what_holds_nothing_is_told_from_what_was_read(tmp_path) -> None:
    make(tmp_path, "a/one.jpg", "notes/text.txt")
    (tmp_path / "mount" / "point").mkdir(parents=True)
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    listing = survey(tmp_path)
    assert [photo.path for photo in listing.photos] == ["a/one.jpg"]
    assert sorted(listing.vacant) == ["dead", "gone.jpg", "mount/point"]
    assert listing.closed == []
    assert survey(tmp_path / "mount" / "point").vacant == [""]


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_folder_without_rights_is_closed(tmp_path, as_nobody, mode) -> None:
    make(tmp_path, "a/one.jpg", "shut/two.jpg", "shut/inner/three.jpg", "shut/notes.txt")
    (tmp_path / "shut").chmod(mode)
    told = as_nobody(
        "import sys; from kinfold.images.walk import survey\n"
        "found = survey(sys.argv[1])\n"
        "print([p.path for p in found.photos], found.skipped, found.closed)",
        tmp_path,
    )
    (tmp_path / "shut").chmod(0o755)
    assert told == "['a/one.jpg'] [('shut', 'Permission denied')] ['shut']\n"


def test_links_to_what_may_not_be_seen_are_closed(tmp_path, as_nobody) -> None:
    make(tmp_path, "photos/one.jpg", "vault/inner/two.jpg")
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "vault" / "inner")
    (tmp_path / "vault").chmod(0)
    told = as_nobody(
        "import sys; from kinfold.images.walk import survey; print(survey(sys.argv[1]).closed)",
        tmp_path / "photos",
    )
    (tmp_path / "vault").chmod(0o755)
    assert told == "['linked']\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_folder_whose_name_is_no_text_is_reported_once(tmp_path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    for name in (b"a.jpg", b"b.jpg"):
        with open(folder + b"/" + name, "wb"):
            pass
    make(tmp_path, "good.jpg")
    listing = survey(tmp_path)
    assert [photo.path for photo in listing.photos] == ["good.jpg"]
    assert listing.skipped == [("caf\\udce9", "name is not UTF-8")]


def test_films_are_counted(tmp_path) -> None:
    make(tmp_path, "a.jpg", "b.MOV", "c.mov", "d/e.PSD", "notes.txt")
    assert survey(tmp_path).others == {".mov": 2, ".psd": 1}
