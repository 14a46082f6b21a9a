"""An answer as people use it: verdicts, what it comes to, pages, and every way to name a query."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("cv2")

from kinfold import Gallery
from kinfold.base.errors import GalleryError, ImageError
from kinfold.gallery.verdict import Verdict


@pytest.fixture
def city(indexed: Path):
    with Gallery.open(indexed) as gallery:
        yield gallery


def names(hits) -> list[str]:
    return [hit.path for hit in hits]


def test_what_shows_the_same_thing_is_told_from_what_looks_alike(city, rendered) -> None:
    query = rendered / "scene1" / "view0.jpg"
    hits = city.search(query, top=20)
    assert str(hits) == "3 photos show the same thing."
    assert sorted(names(hits.found)) == [f"scene1/view{n}.jpg" for n in (1, 2, 3)]
    assert len(hits.alike) == 16 and len(hits) == 20
    [own] = [hit for hit in hits if hit.is_query]
    assert own.verdict is Verdict.SAME_FILE and own.confidence == 1 and not own.found
    assert all(hit.verified and hit.confidence >= 0.9 for hit in hits.found)
    assert all(hit.confidence < 0.5 for hit in hits.alike)
    assert hits.files == [hit.file for hit in hits.found] and all(f.is_file() for f in hits.files)
    assert repr(own) == "Hit(1, 'scene1/view0.jpg', same file, 1.00, the query itself)"
    assert repr(hits) == "<Hits: 3 of the same thing, 16 that look alike>"


def test_copies_are_told(city, rendered, tmp_path) -> None:
    source = rendered / "scene2" / "view0.jpg"
    same = shutil.copy(source, tmp_path / "same.jpg")
    best = city.search(same, top=3)[0]
    assert best.verdict is Verdict.SAME_FILE and best.found and not best.is_query
    with Image.open(source) as image:
        image.crop((40, 30, 290, 270)).resize((200, 192)).save(tmp_path / "cut.jpg", quality=60)
    hits = city.search(tmp_path / "cut.jpg", top=4)
    copies = [hit.path for hit in hits if hit.verdict is Verdict.EDITED_COPY]
    assert copies == ["scene2/view0.jpg"] and len(hits.found) == 4


def test_what_cannot_be_seen_is_no_copy(indexed, rendered, tmp_path) -> None:
    """Pixels decide: of a photo that is gone, or is another by now, only the geometry is left."""
    photos = Path(shutil.copytree(rendered, tmp_path / "photos"))
    path = Path(shutil.copytree(indexed, tmp_path / "g.kin"))
    with Image.open(rendered / "scene2" / "view0.jpg") as image:
        image.save(tmp_path / "copy.jpg", quality=60)
    with Gallery.open(path) as gallery:
        gallery.update(photos, verbose=False)
        first = gallery.search(tmp_path / "copy.jpg", top=1)[0]
        assert first.verdict is Verdict.EDITED_COPY
        shutil.copy(rendered / "scene1" / "view0.jpg", photos / "scene2" / "view0.jpg")
        assert gallery.search(tmp_path / "copy.jpg", top=1)[0].verdict is Verdict.SAME_THING
        (photos / "scene2" / "view0.jpg").unlink()
        assert gallery.search(tmp_path / "copy.jpg", top=1)[0].verdict is Verdict.SAME_THING


def test_what_is_not_there_is_not_found(city) -> None:
    hits = city.search(np.random.default_rng(7).integers(0, 256, (300, 300, 3), np.uint8), top=5)
    assert not hits.found and str(hits) == "No photo of the same thing was found."
    assert [hit.verdict for hit in hits] == [Verdict.LOOKS_ALIKE] * 5
    empty = city.search(np.full((90, 120, 3), 128, np.uint8))
    assert empty == [] and "nothing to compare" in str(empty)


def test_every_way_to_ask(city, rendered) -> None:
    path = "scene0/view1.jpg"
    [id] = city.ids_of([path])
    with Image.open(rendered / path) as image:
        pixels = np.asarray(image.convert("RGB"))
    wanted = city.search(rendered / path, top=4)
    for query in (id, path, "scene0/view1", wanted[0], str(rendered / path)):
        assert names(city.search(query, top=4)) == names(wanted)
        assert city.search(query, top=4)[0].is_query
    data = (rendered / path).read_bytes()
    for query in (pixels, pixels / 255, Image.fromarray(pixels), data, io.BytesIO(data)):
        hits = city.search(query, top=4)
        assert hits[0].path == path and hits[0].verdict is Verdict.EDITED_COPY
    assert city.search(pixels.mean(axis=2) / 255, top=4)[0].path == path
    with pytest.raises(ValueError, match="query: expected the id"):
        city.search(10**6)
    with pytest.raises(ImageError, match="nowhere"):
        city.search("nowhere.jpg")
    with pytest.raises(ValueError, match="query"):
        city.search(pixels.astype(np.int64))
    with pytest.raises(GalleryError, match="may be"):
        city.search("view1.jpg")


def test_second_looks_by_name(city, rendered) -> None:
    query = rendered / "scene3" / "view0.jpg"
    assert city.search(query, rerank="spatial") == city.search(query, rerank=["spatial"])
    plain = city.search(query, rerank=None)
    assert plain == city.search(query, rerank=()) == city.search(query, rerank="none")
    assert all(hit.inliers is None for hit in plain)
    with pytest.raises(ValueError, match="rerank"):
        city.search(query, rerank="spatiall")


def test_pages_and_notebooks(city, rendered, tmp_path) -> None:
    hits = city.search(rendered / "scene1" / "view0.jpg", top=6)
    hits.save(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert "3 photos show the same thing." in text and "2 more that only look alike" in text
    assert hits.found[0].file.as_uri() in text and "kinfold search " in text
    assert "same thing" in hits._repr_html_() and "the query itself" in hits._repr_html_()
    assert "20 photos" in city._repr_html_() and "12 more" in city._repr_html_()


def test_missing_originals_are_named(indexed, rendered, tmp_path) -> None:
    """The photos were moved away: their features still answer."""
    query = shutil.copy(rendered / "scene1" / "view0.jpg", tmp_path / "q.jpg")
    moved = tmp_path / "photos"
    shutil.copytree(rendered, moved)
    path = Path(shutil.copytree(indexed, tmp_path / "g.kin"))
    with Gallery.open(path) as gallery:
        gallery.update(moved, verbose=False)
        shutil.rmtree(moved)
        answer = gallery.search(query, top=4).answer()
    assert all(result.missing for result in answer.results)
    [remark] = answer.remarks
    assert "4 photos are no longer in" in remark and "scene1/view0.jpg" in remark


def test_a_gallery_is_a_collection_of_photos(city) -> None:
    assert [photo.id for photo in city] == [photo.id for photo in city.photos]
    first = next(iter(city))
    assert first in city and first.id in city and first.path in city
    assert "nowhere.jpg" not in city and 10**6 not in city and None not in city
    assert repr(first) == f"Photo({first.id}, {first.path!r}, 300 x 300)"
