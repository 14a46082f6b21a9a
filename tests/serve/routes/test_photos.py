"""Photos are listed, told of and shown; by numbers alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from kinfold.serve.shapes import PhotoFacts, Photos


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
