"""Several folders a gallery: names stay, moves between folders are noticed, paths lead to the files."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("cv2")

from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery import PhotoFilter
from kinfold.gallery.views.moves import moves

from ..conftest import SMALL, noise, small_photos


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folders ``a`` (four photos) and ``b`` (three others), names in common."""
    small_photos(tmp_path / "a", 4)
    small_photos(tmp_path / "b" / "deep", 3, first=10)
    shutil.copy(tmp_path / "b" / "deep" / "10.jpg", tmp_path / "b" / "0.jpg")
    small_photos(tmp_path / "c", 2, first=20)
    return tmp_path


@pytest.fixture
def both(place: Path):
    """Their gallery, open."""
    with Gallery.create(place / "g.kin", **SMALL) as gallery:
        gallery.update([place / "a", place / "b"], verbose=False)
        yield gallery


def known(gallery: Gallery) -> dict[str, int]:
    return {photo.path: photo.id for photo in gallery}


def test_paths_of_the_first_are_short_those_of_others_whole(both, place) -> None:
    paths = {"0.jpg", "1.jpg", "2.jpg", "3.jpg", str(place / "b" / "0.jpg")}
    paths |= {str(place / "b" / "deep" / f"{n}.jpg") for n in (10, 11, 12)}
    assert set(known(both)) == paths
    assert both.root == place / "a" and both.folders == [place / "a", place / "b"]
    for number, file in ((1, place / "a" / "1.jpg"), (11, place / "b" / "deep" / "11.jpg")):
        hit = both.search(noise(number), top=1)[0]
        assert hit.file == file and hit.file.is_file()
        assert both.search(file, top=1)[0].is_query
    # Names: whole paths, and what is unique.
    assert str(place / "b" / "deep" / "12.jpg") in both and "12.jpg" in both and "3" in both
    assert both.info()["other_folders"] == [str(place / "b")]


def test_updates_look_through_all_whichever_are_named(both, place) -> None:
    before = known(both)
    small_photos(place / "a", 1, first=30)
    small_photos(place / "b", 1, first=31)
    for again in (None, place / "b", [place / "b", place / "a"], place / "a"):
        changes = both.update(again, verbose=False)
        assert (changes.added, changes.removed, changes.moved) == (2 if again is None else 0, 0, 0)
    assert both.root == place / "a"
    changes = both.update([place / "c", place / "a"], verbose=False)
    assert changes.added == 2 and changes.removed == 0
    assert both.folders == [place / "a", place / "b", place / "c"]
    assert before.items() <= known(both).items()
    # One in another is looked through with that.
    assert both.update([place / "b", place / "b" / "deep"], verbose=False).added == 0
    assert len(both.folders) == 3


def test_moves_between_folders_are_noticed(both, place) -> None:
    before = known(both)
    (place / "a" / "2.jpg").rename(place / "b" / "other.jpg")
    (place / "b" / "deep" / "11.jpg").rename(place / "a" / "11.jpg")
    changes = both.update(verbose=False)
    assert (changes.moved, changes.added, changes.removed) == (2, 0, 0)
    now = known(both)
    assert now[str(place / "b" / "other.jpg")] == before["2.jpg"]
    assert now["11.jpg"] == before[str(place / "b" / "deep" / "11.jpg")]


def test_a_folder_that_is_gone_may_be_back(both, place) -> None:
    (place / "b").rename(place / "away")
    changes = both.update(verbose=False)
    assert changes.kept == 4 and changes.removed == 0 and len(both) == 8
    assert any("is a drive not mounted" in note for note in changes.notes)
    (place / "away").rename(place / "b")
    assert both.update(verbose=False).unchanged == 8
    shutil.rmtree(place / "b")
    assert both.update(prune=True, verbose=False).removed == 4
    assert both.folders == [place / "a"] and len(both) == 4


def test_folders_given_by_mistake(both, place) -> None:
    with pytest.raises(GalleryError, match="has none of them"):
        both.update(place / "c", verbose=False)
    small_photos(place / "d", 1, first=40)
    with pytest.raises(GalleryError, match="name that folder too"):
        both.update([place / "c", place / "d"], verbose=False)
    with pytest.raises(GalleryError, match="has already"):
        both.update([place / "a", place], verbose=False)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        both.update([place / "a", place / "nowhere"], verbose=False)
    with pytest.raises(ValueError, match="^photos: expected a folder or several"):
        both.update([], verbose=False)
    assert len(both) == 8 and both.folders == [place / "a", place / "b"]


def test_what_else_takes_paths(both, place) -> None:
    ids = known(both)
    below = both.admitted(PhotoFilter(folder=place / "b" / "deep"))
    assert below.tolist() == sorted(
        ids[str(place / "b" / "deep" / f"{n}.jpg")] for n in (10, 11, 12)
    )
    files = [str(place / "b" / "deep" / "12.jpg"), "1.jpg", "nowhere.jpg"]
    changes = both.update(files=files, prune=True, verbose=False)
    assert set(known(both)) == set(files[:2])
    assert changes.failed == [("nowhere.jpg", "is listed, but is no photo in the folder")]


def test_copies_in_several_folders(both, place) -> None:
    found = both.duplicates(keep=[place / "b" / "deep"], verbose=False)
    [held] = found.sets
    assert held.keep.path == str(place / "b" / "deep" / "10.jpg")
    [(source, goal)] = moves(found, place / "copies")
    assert source == place / "b" / "0.jpg"
    assert goal == place / "copies" / str(source).lstrip("/")
    assert both.duplicates(keep=[place / "a"], verbose=False).sets
    with pytest.raises(GalleryError, match="^keep: "):
        both.duplicates(keep=[place / "c"], verbose=False)


def test_galleries_of_before_have_one_folder(both, place) -> None:
    both.close()
    shutil.rmtree(place / "g.kin")
    with Gallery.create(place / "g.kin", **SMALL) as gallery:
        gallery.update(place / "a", verbose=False)
    manifest = place / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    assert data.pop("folders") == []
    manifest.write_text(json.dumps(data))
    with Gallery.open(place / "g.kin") as gallery:
        assert gallery.folders == [place / "a"]
        gallery.update([place / "b", place / "a"], verbose=False)
        assert len(gallery) == 8 and gallery.root == place / "a"


@pytest.mark.parametrize("path", ["/etc/x", "{b}/../x", "{b}", "{b}//x", "{b}x/y"])
def test_whole_paths_lie_in_the_folders(both, place, path) -> None:
    """A table that somebody sent leads nowhere else."""
    with closing(sqlite3.connect(place / "g.kin" / "photos.sqlite")) as db:
        db.execute("UPDATE photos SET path = ? WHERE path = '3.jpg'", [path.format(b=place / "b")])
        db.commit()
    with Gallery.open(place / "g.kin") as gallery, pytest.raises(FileFormatError, match="damaged"):
        gallery.photos  # noqa: B018


def test_manifests_name_whole_folders(both, place) -> None:
    manifest = place / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    for bad in (["b"], "b", [3], ["/a\0b"], None):
        manifest.write_text(json.dumps({**data, "folders": bad}))
        with pytest.raises(FileFormatError, match="folders: expected"):
            Gallery.open(place / "g.kin")
