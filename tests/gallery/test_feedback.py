"""Examples move a query as Rocchio's formula does, and geometry takes their part."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.gallery import feedback

from .conftest import SCENES, VIEWS


@pytest.fixture(scope="module")
def gallery(indexed):
    with Gallery.open(indexed) as opened:
        yield opened


def scene(hit) -> int:
    return int(hit.path[5])


def ids_of(gallery, number: int) -> list[int]:
    return [photo.id for photo in gallery if photo.path.startswith(f"scene{number}/")]


def test_an_example_is_the_photo_as_it_was_described(gallery) -> None:
    fused = gallery.parts.fused
    for id in (1, 7):
        stored = fused.search(feedback.example(gallery._reader.snapshot, id), len(fused))
        asked = fused.search(gallery.describe(id), len(fused))
        np.testing.assert_array_equal(stored.ids, asked.ids)
        np.testing.assert_allclose(stored.distances, asked.distances, atol=1e-5)


@pytest.mark.parametrize("gamma", [feedback.GAMMA, 0.15])
def test_similarities_are_those_of_the_formula(gallery, monkeypatch, gamma) -> None:
    monkeypatch.setattr(feedback, "GAMMA", gamma)
    fused, n = gallery.parts.fused, len(gallery)
    query, given = gallery.describe(1), {"like": [6, 9], "unlike": [13]}

    def similarities(id: int) -> np.ndarray:
        found = fused.search(gallery.describe(id), n)
        return found.distances[np.argsort(found.ids)]

    expected = similarities(1) + feedback.BETA * (similarities(6) + similarities(9)) / 2
    expected -= feedback.GAMMA * similarities(13)
    snapshot = gallery._reader.snapshot
    examples = feedback.Feedback.of(given["like"], given["unlike"], snapshot)
    found = feedback.moved(snapshot, fused.search(query, n), examples, n)
    np.testing.assert_allclose(found.distances, np.sort(expected)[::-1], atol=1e-4)
    assert (np.diff(found.distances) <= 0).all() and sorted(found.ids) == list(range(1, n + 1))


@pytest.mark.parametrize("rerank", [None, "spatial", "spatial,diffusion", "expansion"])
def test_a_positive_example_brings_its_like_and_a_negative_one_takes_it_away(
    gallery, rerank
) -> None:
    [other] = ids_of(gallery, 3)[:1]
    before = gallery.search(1, top=20, rerank=rerank)
    liked = gallery.search(1, top=20, rerank=rerank, like=other)
    assert liked[0].id == other and {hit.id for hit in liked} == {hit.id for hit in before}
    assert {scene(hit) for hit in liked[: 2 * VIEWS - 2]} == {0, 3}
    wrong = gallery.search(1, top=20, rerank=rerank, unlike=ids_of(gallery, 0)[1:])
    assert {hit.id for hit in wrong[-VIEWS + 1 :]} == set(ids_of(gallery, 0)[1:])
    for hits in (liked, wrong):
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True) and [hit.rank for hit in hits] == list(
            range(1, 21)
        )


def test_what_geometry_says_is_like_a_negative_example_goes_behind(gallery) -> None:
    wrong = ids_of(gallery, 3)
    hits = gallery.search(1, top=20, unlike=wrong[0])
    assert {hit.id for hit in hits[-VIEWS:]} == set(wrong) and hits[-1].id == wrong[0]
    assert {scene(hit) for hit in hits[:VIEWS]} == {0}


def test_verdicts_are_of_the_query_and_hits_may_be_given(gallery) -> None:
    before = gallery.search(1)
    sure = {hit.id: (hit.verdict, hit.confidence) for hit in before}
    after = gallery.search(1, like=before[-1], unlike=[before[-2]])
    assert after[0].id == before[-1].id and after[-1].id == before[-2].id
    assert {hit.id: (hit.verdict, hit.confidence) for hit in after} == sure


def test_no_examples_change_nothing_and_filters_hold(gallery) -> None:
    plain, given = gallery.search(2), gallery.search(2, like=[], unlike=())
    assert [(hit.id, hit.score) for hit in plain] == [(hit.id, hit.score) for hit in given]
    kept = ids_of(gallery, 1)
    hits = gallery.search(2, like=ids_of(gallery, 3)[0], filter=kept)
    assert sorted(hit.id for hit in hits) == sorted(kept)
    assert len(plain) == SCENES * VIEWS


@pytest.mark.parametrize(
    ("given", "message"),
    [({"like": 99}, "like: expected photos of the gallery, got 99"), ({"unlike": [1, 0]}, "unlike: .* got 0"),
     ({"like": [1, 2], "unlike": [2]}, "unlike: expected other photos than like, got 2"),
     ({"like": "view0.jpg"}, "like: expected ids or hits"), ({"unlike": [True]}, "unlike: expected ids or hits")],
)  # fmt: skip
def test_what_is_no_example_is_refused(gallery, given, message) -> None:
    with pytest.raises(ValueError, match=message):
        gallery.search(1, **given)
