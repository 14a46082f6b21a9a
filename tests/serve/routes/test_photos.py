"""Photos are listed, told of and shown; by numbers alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from kinfold import Gallery
from kinfold.gallery import PhotoFilter
from kinfold.serve.shapes import PhotoFacts, Photos

from ..conftest import QUICK


def test_pages_of_the_list_hold_each_photo_once_by_name(server) -> None:
    pages = [server.get(f"/api/photos?offset={at}&limit=5").json for at in (0, 5, 10)]
    assert {Photos.model_validate(page).total for page in pages} == {12}
    names = [photo["name"] for page in pages for photo in page["photos"]]
    assert len(names) == 12 and names == sorted(names)


def test_a_photo_is_told_of(server, scenes) -> None:
    told = server.get("/api/photos/2").json
    PhotoFacts.model_validate(told)
    assert told["file"] == str(scenes / told["name"]) and not told["missing"]
    assert (told["width"], told["height"]) == (300, 300)


@pytest.mark.parametrize(("kind", "side"), [("thumbnail", 64), ("image", 200)])
def test_pictures_are_small_jpegs_and_are_not_sent_again(server, kind, side) -> None:
    answer = server.get(f"/api/photos/1/{kind}?side={side}")
    assert Image.open(io.BytesIO(answer.body)).size == (side, side)
    assert answer.headers["content-type"] == "image/jpeg"
    again = server.get(f"/api/photos/1/{kind}?side={side}", If_None_Match=answer.headers["etag"])
    assert again.status == 304 and again.body == b""


@pytest.mark.parametrize(
    "path",
    [
        "/api/photos/99",
        "/api/photos/99/thumbnail",
        "/api/photos/99/image",
        "/api/nothing",
    ],
)
def test_what_is_not_there_is_said_to_be_missing(server, path) -> None:
    answer = server.get(path)
    assert answer.status == 404 and answer.error["code"] == "not_found"


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "order=size", "limit=x"])
def test_options_out_of_bounds_are_named(server, query) -> None:
    answer = server.get(f"/api/photos?{query}")
    assert answer.status == 422 and answer.error["argument"] == query.partition("=")[0]


def test_the_list_and_searches_keep_to_a_folder(server, city) -> None:
    listed = server.get("/api/photos?folder=scene1&order=date").json
    assert listed["total"] == 4 and {photo["name"][:7] for photo in listed["photos"]} == {"scene1/"}
    told = server.post("/api/search", {"id": 1, "folder": "scene1", "rerank": None}).json
    with Gallery.open(city) as gallery:
        hits = gallery.search(1, rerank=None, filter=PhotoFilter(folder="scene1"))
    assert [hit["id"] for hit in told["hits"]] == [hit.id for hit in hits]
    assert len(told["hits"]) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folder", "nowhere"),
        ("folder", "../.."),
        ("folder", "/etc"),
        ("since", "May"),
        ("until", "1"),
    ],
)
def test_a_filter_that_is_none_is_named(server, name, value) -> None:
    assert server.get(f"/api/photos?{name}={value}").error["argument"] == name
    assert server.post("/api/search", {"id": 1, name: value}).error["argument"] == name


def test_dates_bound_the_list(scenes, tmp_path, start) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for year in (2018, 2019, 2020):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{year}:05:01 12:00:00"
        with Image.open(scenes / f"scene{year - 2018}" / "view0.jpg") as image:
            image.save(folder / f"{2020 - year}.jpg", exif=exif)
    with Gallery.create(tmp_path / "g.kin", **QUICK) as gallery:
        gallery.update(folder, verbose=False)
    with start(tmp_path / "g.kin") as asker:
        taken = [photo["taken"] for photo in asker.get("/api/photos?order=date").json["photos"]]
        assert taken == [f"{year}-05-01T12:00:00" for year in (2018, 2019, 2020)]
        photos = asker.get("/api/photos?since=2019&until=2019-12").json["photos"]
        assert [photo["name"] for photo in photos] == ["1.jpg"]
        info = asker.get("/api/info").json
        assert (info["since"], info["until"]) == ("2018-05-01", "2020-05-01")


def test_photos_are_told_of_by_their_ids(server) -> None:
    """In the order of the ids; what is not there is left out."""
    told = server.get("/api/photos?ids=7,99,2").json
    assert [photo["id"] for photo in Photos.model_validate(told).model_dump()["photos"]] == [7, 2]
    assert told["total"] == 2
    for wrong in ("", "1,", "1;2", "-1", ",".join("1" * 4001)):
        answer = server.get(f"/api/photos?ids={wrong}")
        assert answer.status == 422 and answer.error["argument"] == "ids"
