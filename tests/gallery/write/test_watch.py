"""A gallery follows its folders: photos that come, change and leave while it is watched."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

pytest.importorskip("cv2")

from kinfold import Gallery
from kinfold.base.errors import MissingExtraError
from kinfold.gallery.write.changes import Changes

from ..conftest import SMALL, noise, small_photos, write_photo

SOON = 60.0


@pytest.fixture
def watched(tmp_path: Path):
    """A folder ``a`` of three photos, beside it a gallery that is watched, and what its updates tell."""
    pytest.importorskip("watchfiles")
    small_photos(tmp_path / "a", 3)
    told: Queue[Changes] = Queue()
    stop = Event()
    with Gallery.create(tmp_path / "a" / "g.kin", **SMALL) as gallery:
        gallery.update(tmp_path / "a", verbose=False)

        def follow() -> None:
            for changes in gallery.watch(settle=0.1, stop=stop, verbose=False):
                told.put(changes)

        thread = Thread(target=follow)
        thread.start()
        try:
            assert told.get(timeout=SOON).unchanged == 3
            yield tmp_path / "a", gallery, told
        finally:
            stop.set()
            thread.join(SOON)
        assert not thread.is_alive()


def test_photos_come_change_and_leave(watched) -> None:
    folder, gallery, told = watched
    small_photos(folder / "new" / "deep", 2, first=10)
    # Several changes make one update, or a few where the machine is slow.
    added = 0
    while added < 2:
        changes = told.get(timeout=SOON)
        assert changes.removed == changes.changed == 0
        added += changes.added
    assert len(gallery) == 5 and gallery.search(noise(11), top=1)[0].path == "new/deep/11.jpg"
    (folder / "0.jpg").rename(folder / "moved.jpg")
    while not told.get(timeout=SOON).moved:
        pass
    (folder / "new" / "deep" / "10.jpg").unlink()
    while not told.get(timeout=SOON).removed:
        pass
    assert sorted(gallery.paths) == ["1.jpg", "2.jpg", "moved.jpg", "new/deep/11.jpg"]
    write_photo(folder / "1.jpg", noise(20))
    while not told.get(timeout=SOON).changed:
        pass
    assert gallery.search(noise(20), top=1)[0].path == "1.jpg"


def test_its_own_files_and_others_make_no_update(watched) -> None:
    """The gallery lies in the folder that is watched: what an update writes must not bring the next."""
    folder, _, told = watched
    small_photos(folder, 1, first=30)
    assert told.get(timeout=SOON).added == 1
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.jpg").write_text("x")
    (folder / "film.mov").write_text("x")
    Event().wait(1.0)
    assert told.empty()


def test_what_cannot_be_done_now_is_told(watched) -> None:
    folder, gallery, told = watched
    for path in folder.glob("*.jpg"):
        path.unlink()
    changes = told.get(timeout=SOON)
    while not changes.notes:
        changes = told.get(timeout=SOON)
    assert (
        "is a drive not mounted" in changes.notes[0] or "are not in the folder" in changes.notes[0]
    )
    assert len(gallery) == 3
    small_photos(folder, 3)
    while told.get(timeout=SOON).unchanged < 3:
        pass


def test_the_package_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    small_photos(tmp_path / "a", 1)
    with Gallery.create(tmp_path / "g.kin", **SMALL) as gallery:
        gallery.update(tmp_path / "a", verbose=False)
        with pytest.raises(MissingExtraError, match=r"pip install 'kinfold\[watch\]'"):
            next(gallery.watch())
        with pytest.raises(ValueError, match="^settle: "):
            next(gallery.watch(settle=-1))
