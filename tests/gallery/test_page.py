"""What a page of an answer is given."""

from __future__ import annotations

import numpy as np

from kinfold import Gallery
from kinfold.gallery.page import Truth
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
    assert "scene1/view0.jpg" in answer_page(content)


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
