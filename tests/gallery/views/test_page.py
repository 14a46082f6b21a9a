"""What a page of an answer is given."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.gallery.views.page import Truth
from kinfold.report.answer import answer_page


def test_results_matches_chains_and_marks(indexed, rendered) -> None:
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene1" / "view0.jpg", box=(20, 30, 280, 290))
        ranked = gallery.rank(query)
        hits = gallery.hits(query, ranked, 6)
        truth = Truth({hit.id for hit in hits[1:4]}, {hits[0].id}, 0.5)
        content = gallery.answer(query, ranked, hits, facts={"Re-ranking": "both"}, truth=truth)
    assert [r.mark for r in content.results] == ["junk", "ok", "ok", "ok", "wrong", "wrong"]
    assert content.box == (20, 30, 280, 290) and content.facts["Re-ranking"] == "both"
    first = content.results[0]
    np.testing.assert_allclose(first.match.query_points, first.match.photo_points, atol=3)
    assert all(r.chain[-1].picture.name == r.picture.name for r in content.results if r.chain)
    shown = answer_page(content)
    assert "scene1/view0.jpg" in shown
    # What looks alike and does not fit is drawn in grey, where there is any.
    for hit, result in zip(hits, content.results):
        if hit.matches is not None:
            assert not {*map(tuple, hit.matches)} & {*map(tuple, hit.rejected)}
            assert np.isfinite(result.match.rejected).all()
    rejected = any(r.match is not None and len(r.match.rejected) for r in content.results)
    assert rejected == ("line out" in shown)


def test_the_way_of_a_diffusion_is_shown_photo_by_photo(indexed, rendered) -> None:
    """Each step is an edge of the gallery's graph with its similarity, and the page shows just these."""
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene2" / "view1.jpg")
        ranked = gallery.rank(query, rerank=("diffusion",))
        hits = gallery.hits(query, ranked, 20)
        content = gallery.answer(query, ranked, hits)
        chains = [gallery.chain(query, ranked, hit.id) for hit in hits]
        graph, ids = gallery.parts.graph, gallery.parts.ids.tolist()
        names = {id: gallery.photo(id).path for chain, _ in chains for id in chain}
    assert max(len(chain) for chain, _ in chains) >= 2
    for (chain, similarities), hit in zip(chains, hits):
        if not chain:
            continue
        assert chain[0] in ranked.sources and chain[-1] == hit.id
        for a, b, similarity in zip(chain, chain[1:], similarities[1:]):
            row = slice(*graph.starts[ids.index(a) : ids.index(a) + 2])
            at = graph.neighbours[row].tolist().index(ids.index(b))
            assert graph.weigh(np.array([similarity]))[0] == pytest.approx(graph.weights[row][at])
    lists = re.findall(r'<ol class="chain">.*?</ol>', answer_page(content))
    assert [re.sub(r"<[^>]*>", " ", shown).split() for shown in lists] == [
        ["query", *(word for id, s in zip(chain, values) for word in (f"{s:.2f}", names[id]))]
        for chain, values in chains
        if chain
    ]


def test_photos_that_are_gone_are_grey(gallery_path, rendered, tmp_path) -> None:
    import json

    manifest = json.loads((gallery_path / "MANIFEST.json").read_text())
    (gallery_path / "MANIFEST.json").write_text(
        json.dumps({**manifest, "photos": str(tmp_path / "gone")})
    )
    with Gallery.open(gallery_path) as gallery:
        query = gallery.describe(rendered / "scene1" / "view0.jpg")
        ranked = gallery.rank(query)
        content = gallery.answer(query, ranked, gallery.hits(query, ranked, 3))
    assert len(content.results) == 3 and content.results[0].mark is None


def test_an_answer_of_a_photo_is_that_of_its_parts(indexed, rendered) -> None:
    photo = rendered / "scene1" / "view0.jpg"
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(photo)
        ranked = gallery.rank(query, top=5)
        by_hand = gallery.answer(query, ranked, gallery.hits(query, ranked, 5))
        answer = gallery.answer(photo, top=5)
        hits = gallery.search(photo, top=5)
    assert type(ranked) is type(answer)
    assert answer.ids.tolist() == by_hand.ids.tolist() == ranked.ids.tolist()
    assert [r.picture.name for r in answer.results] == [hit.path for hit in hits]
    assert answer_page(answer) == answer_page(by_hand)
    assert answer._repr_html_().count("<tr>") == 6
