"""The gallery is opened anew when another process brought it up to date; what is being asked goes on."""

from __future__ import annotations

import shutil
import time

import pytest

from kinfold import Gallery
from kinfold.gallery.lock import writer_lock
from kinfold.serve.opened import OpenGallery

from ..gallery.conftest import view, write_photo
from .conftest import QUICK


@pytest.fixture
def growing(scenes, tmp_path):
    """A gallery of some of the photos, in a folder that gets more."""
    folder = shutil.copytree(scenes / "scene0", tmp_path / "photos")
    with Gallery.create(tmp_path / "g.kin", **QUICK) as gallery:
        gallery.update(folder, verbose=False)
    return tmp_path


def grow(place) -> None:
    write_photo(place / "photos" / "new.jpg", view(1, 0))
    with Gallery.open(place / "g.kin") as gallery:
        gallery.update(verbose=False)


def test_what_is_read_stays_open_until_it_is_answered(growing) -> None:
    opened = OpenGallery(growing / "g.kin")
    with opened.use() as before:
        opened.prepare(before.gallery)
        assert not opened.look()
        grow(growing)
        assert opened.look() and not opened.look()
        assert len(before.gallery.parts.ids) == 4
        assert before.gallery.search(1, rerank=None)  # its table is open
        with opened.use() as after:
            assert after.number == before.number + 1 and len(after.gallery.parts.ids) == 5
    assert before.gallery._reader._table is None
    opened.close()


def test_a_server_finds_new_photos_by_itself_and_tells_how_far_a_writer_is(growing, start) -> None:
    with start(growing / "g.kin") as asker:
        assert asker.get("/api/progress").json == {
            "updating": False,
            "stage": "",
            "done": 0,
            "of": 0,
        }
        with writer_lock(growing / "g.kin") as tell:
            tell("describing photos", 120, 300)
            told = asker.get("/api/progress").json
            assert told == {"updating": True, "stage": "describing photos", "done": 120, "of": 300}
        grow(growing)
        due = time.monotonic() + 30
        while time.monotonic() < due:
            told = asker.post("/api/search", {"id": 5, "rerank": None})
            if told.status == 200 and any(hit["name"] == "new.jpg" for hit in told.json["hits"]):
                break
            time.sleep(0.2)
        assert told.json["hits"][0]["name"] == "new.jpg"
        assert len(asker.get("/api/photos").json["photos"]) == 5


def test_a_gallery_without_photos_is_served_and_says_so(tmp_path, start) -> None:
    Gallery.create(tmp_path / "empty.kin", **QUICK).close()
    with start(tmp_path / "empty.kin") as asker:
        assert asker.get("/api/health").json["photos"] == 0
        assert asker.get("/api/info").status == 200
        answer = asker.upload("/api/search", b"x")
        assert answer.status == 503 and answer.error["code"] == "not_ready"
        assert asker.get("/api/photos").json == {"total": 0, "photos": []}
