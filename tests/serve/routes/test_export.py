"""Downloads hold paths and thumbnails, never the photos."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from PIL import Image

from kinfold.gallery.photo import Photo
from kinfold.serve.routes.export import table


def test_a_list_and_a_table(server, scenes) -> None:
    answer = server.post("/api/export", {"ids": [3, 1, 3], "as": "list"})
    assert answer.body.decode().splitlines() == [
        str(scenes / f"scene0/view{n}.jpg") for n in (2, 0)
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="photos.txt"'
    rows = list(
        csv.DictReader(
            io.StringIO(server.post("/api/export", {"ids": [1], "as": "csv"}).body.decode())
        )
    )
    assert rows[0]["path"] == str(scenes / "scene0/view0.jpg") and rows[0]["width"] == "300"


def test_an_archive_links_and_shows_and_holds_no_original(server, scenes) -> None:
    body = server.post("/api/export", {"ids": [1, 2], "as": "zip"}).body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert sorted(archive.namelist()) == ["photos.html", "thumbnails/1.jpg", "thumbnails/2.jpg"]
        page = archive.read("photos.html").decode()
        assert (scenes / "scene0" / "view0.jpg").as_uri() in page
        assert Image.open(io.BytesIO(archive.read("thumbnails/1.jpg"))).size == (256, 256)
        assert archive.read("thumbnails/1.jpg") != (scenes / "scene0" / "view0.jpg").read_bytes()


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(start) -> None:
    photo = Photo(1, "a.jpg", 1, 1, width=3, height=2, tags=f"{start}HYPERLINK(1)")
    text = table([(photo, f"{start}cmd.jpg")])
    cells = next(csv.reader(io.StringIO(text.splitlines()[1])))
    assert not [cell for cell in cells if cell.startswith(start)]


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"ids": [99], "as": "list"}, 404), ({"ids": [], "as": "list"}, 422), ({"ids": [1], "as": "exe"}, 422),
     ({"ids": [1]}, 422), ({"ids": ["../x"], "as": "list"}, 422)],
)  # fmt: skip
def test_what_is_not_there_is_refused(server, asked, status) -> None:
    assert server.post("/api/export", asked).status == status


def test_others_are_told_names_and_no_paths(city, start) -> None:
    with start(city, host="0.0.0.0", token="letters8and9") as asker:
        key = {"Authorization": "Bearer letters8and9"}
        body = asker.post("/api/export", {"ids": [1], "as": "list"}, **key).body
        assert body == b"scene0/view0.jpg\n"
        assert asker.get("/api/photos/1", **key).json["file"] is None
        told = asker.get("/api/info", **key).body + asker.post("/api/locate", {"id": 1}, **key).body
        told += asker.post("/api/export", {"ids": [1], "as": "zip"}, **key).body
        assert str(city.parent).encode() not in told and b"file:" not in told
