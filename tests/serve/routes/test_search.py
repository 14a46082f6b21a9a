"""Searches answer as ``Gallery.search`` does."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.serve.shapes import Answer, Explanation, Located


@pytest.fixture(scope="module")
def gallery(city):
    with Gallery.open(city) as opened:
        yield opened


def same(told, hits) -> None:
    """An answer of the API and one of the library."""
    Answer.model_validate(told)
    assert told["verdict"] == str(hits) and told["found"] == len(hits.found)
    assert [hit["name"] for hit in told["hits"]] == [hit.path for hit in hits]
    for hit, expected in zip(told["hits"], hits):
        assert hit["score"] == pytest.approx(expected.score) and hit["id"] == expected.id
        assert (hit["verdict"], hit["inliers"]) == (str(expected.verdict), expected.inliers)
        assert hit["is_query"] == expected.is_query
        assert (hit["place_found"] is None) == (expected.matches is None)


@pytest.mark.parametrize("options", [{}, {"box": [40, 50, 220, 240]}, {"rerank": None, "top": 4}])
def test_an_upload_is_answered_as_the_file_is(server, gallery, scenes, options) -> None:
    photo = scenes / "scene1" / "view2.jpg"
    told = server.upload("/api/search", photo.read_bytes(), options, name="a/../view2.jpg").json
    hits = gallery.search(photo, **options)
    for hit in told["hits"]:
        hit["is_query"] = hit["name"] == "scene1/view2.jpg"  # what was sent has no file
    told["found"] = len(hits.found)
    told["verdict"] = str(hits)
    assert told["query"]["name"] == "view2.jpg"
    same(told, hits)


@pytest.mark.parametrize("options", [{}, {"box": [40, 50, 220, 240]}, {"rerank": ["spatial"]}])
def test_a_photo_of_the_gallery_is_asked_with_by_its_number(server, gallery, options) -> None:
    same(server.post("/api/search", {"id": 5, **options}).json, gallery.search(5, **options))


def test_the_token_of_an_answer_stands_for_its_photo(server, scenes) -> None:
    photo = (scenes / "scene2" / "view1.jpg").read_bytes()
    first = server.upload("/api/search", photo, {"box": [30, 30, 200, 200]}).json
    again = server.post("/api/search", {"query": first["token"], "box": [30, 30, 200, 200]}).json
    assert again["hits"] == first["hits"]
    assert server.post("/api/search", {"query": "0" * 40}).error["code"] == "unknown_query"


def test_what_only_looks_alike_is_left_out_where_that_is_asked(server) -> None:
    told = server.post("/api/search", {"id": 1, "all": False}).json
    assert {hit["verdict"] for hit in told["hits"]} <= {"same file", "edited copy", "same thing"}
    assert told["found"]


@pytest.mark.parametrize(
    ("options", "status", "argument"),
    [
        ({}, 400, "query"),
        ({"id": 1, "query": "id-2"}, 400, "query"),
        ({"id": 99}, 404, "id"),
        ({"id": 1, "box": [5, 5, 4, 4]}, 400, "box"),
        ({"id": 1, "box": [1, 2, 3]}, 422, "box"),
        ({"id": 1, "rerank": ["spatal"]}, 400, "rerank"),
        ({"id": 1, "top": 0}, 422, "top"),
        ({"id": 1, "surprise": 1}, 422, "surprise"),
        ({"id": 1, "like": [99]}, 400, "like"),
        ({"id": 1, "like": [2], "unlike": [2]}, 400, "unlike"),
        ({"id": 1, "unlike": ["a"]}, 422, "unlike"),
        ([], 422, None),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(server, options, status, argument) -> None:
    answer = server.post("/api/search", options)
    assert (answer.status, answer.error["argument"]) == (status, argument), answer.error
    assert answer.error["message"]


def test_a_file_that_is_no_photo_is_told_to_be_none(server) -> None:
    answer = server.upload("/api/search", b"not a photo at all")
    assert answer.status == 415 and answer.error["code"] == "not_a_photo"


def test_a_photo_is_explained_whether_it_was_found_or_not(server, gallery) -> None:
    [hit] = [hit for hit in gallery.search(2) if hit.path == "scene0/view3.jpg"]
    told = server.post("/api/explain", {"id": 2, "hit": hit.id}).json
    Explanation.model_validate(told)
    assert told["verified"] and told["inliers"] == hit.inliers == len(told["matches"])
    np.testing.assert_allclose(told["matches"], hit.matches, atol=0.01)
    np.testing.assert_allclose(told["frame"], hit.box, atol=0.01)
    query = gallery.describe(2)
    chain = gallery.chain(query, gallery.rank(query, top=20), hit.id)
    assert told["chain"] == chain[0]
    other = server.post(
        "/api/explain", {"id": 2, "hit": 9, "top": 1, "box": [20, 20, 200, 200]}
    ).json
    Explanation.model_validate(other)
    assert not other["verified"] and other["matches"] == []
    assert server.post("/api/explain", {"id": 2, "hit": 99}).error["argument"] == "hit"


def test_a_photo_is_located_as_the_library_does(server, gallery, scenes) -> None:
    told = server.post("/api/locate", {"id": 2}).json
    Located.model_validate(told)
    expected = gallery.locate(2).to_dict(gallery.root)
    assert told["reason"] == expected["reason"]
    assert [photo["id"] for photo in told["photos"]] == [
        photo["id"] for photo in expected["photos"]
    ]
    sent = server.upload("/api/locate", (scenes / "scene0" / "view1.jpg").read_bytes()).json
    assert [photo["id"] for photo in sent["photos"]] == [photo["id"] for photo in told["photos"]]


def test_vectors_from_elsewhere_are_compared_as_those_of_photos(server, gallery) -> None:
    stored = gallery.parts.fused.index.reconstruct(np.array([6]))[0].tolist()
    asked = {"vector": {"tembedding": stored}, "rerank": None, "top": 12}
    told = server.post("/api/search", asked).json
    Answer.model_validate(told)
    hits = gallery.search(6, rerank=None, top=12)
    assert [hit["id"] for hit in told["hits"]] == [hit.id for hit in hits]
    assert [hit["score"] for hit in told["hits"]] == pytest.approx(
        [hit.score for hit in hits], abs=1e-5
    )
    again = server.post("/api/search", {"query": told["token"], "rerank": None, "top": 12}).json
    assert again["hits"] == told["hits"]
    assert server.post("/api/search", {**asked, "rerank": ["spatial", "diffusion"]}).status == 200


@pytest.mark.parametrize(
    ("asked", "argument"),
    [({"vector": {"cnn": [1.0]}}, "vector"), ({"vector": {"tembedding": [1.0]}}, "vector"), ({"vector": {}}, "vector"),
     ({"vector": {"tembedding": [0.1] * 8}, "box": [0, 0, 50, 50]}, "box")],
)  # fmt: skip
def test_what_is_no_vector_of_this_gallery_is_refused(server, asked, argument) -> None:
    answer = server.post("/api/search", asked)
    assert (answer.status, answer.error["argument"]) == (400, argument), answer.error
