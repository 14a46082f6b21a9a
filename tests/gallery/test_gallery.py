"""Indexing and searching, end to end."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError, ImageError
from kinfold.gallery.settings import Settings

from .conftest import SCENES, VIEWS, view, write_photo


def scenes_of(hits) -> list[str]:
    return [Path(hit.path).parts[0] for hit in hits]


@pytest.mark.parametrize(
    "rerank",
    [
        (),
        ("spatial",),
        ("diffusion",),
        ("spatial", "diffusion"),
        ("diffusion", "spatial"),
        ("expansion",),
        ("spatial", "expansion", "diffusion"),
    ],
)
def test_every_order_of_stages_finds_the_scene(indexed, rendered, rerank) -> None:
    with Gallery.open(indexed) as gallery:
        for scene in range(SCENES):
            hits = gallery.search(
                rendered / f"scene{scene}" / "view0.jpg", top=VIEWS, rerank=rerank
            )
            assert [hit.rank for hit in hits] == [1, 2, 3, 4]
            assert scenes_of(hits)[0] == f"scene{scene}"
            assert np.all(np.diff([hit.score for hit in hits]) <= 0)
            if "spatial" in rerank:
                assert scenes_of(hits) == [f"scene{scene}"] * VIEWS


@pytest.mark.parametrize(
    "rerank", [(), ("spatial",), ("diffusion",), ("spatial", "diffusion"), ("diffusion", "spatial")]
)
def test_a_ranking_of_all_is_a_permutation(indexed, rendered, rerank) -> None:
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene1" / "view2.jpg")
        answer = gallery.rank(query, rerank=rerank)
        assert sorted(answer.ids.tolist()) == list(range(1, SCENES * VIEWS + 1))
        assert np.all(np.diff(answer.scores) <= 0)


def test_a_query_from_elsewhere_and_pixels_answer_alike(indexed, tmp_path) -> None:
    from kinfold.images.decode import decode

    write_photo(tmp_path / "q.jpg", view(3, 9))
    with Gallery.open(indexed) as gallery:
        by_path = gallery.search(tmp_path / "q.jpg")
        by_pixels = gallery.search(decode(tmp_path / "q.jpg").pixels)
        many = gallery.search_many([tmp_path / "q.jpg"] * 3)
        whole = gallery.search_many([tmp_path / "q.jpg"], boxes=np.array([[0, 0, 300, 300]]))
    assert [hit.to_dict() for hit in by_path] == [hit.to_dict() for hit in by_pixels]
    assert all([h.to_dict() for h in hits] == [h.to_dict() for h in by_path] for hits in many)
    assert scenes_of(by_path)[:VIEWS] == scenes_of(whole[0])[:VIEWS] == ["scene3"] * VIEWS


def test_the_matrix_leads_from_query_to_photo(indexed, rendered) -> None:
    with Gallery.open(indexed) as gallery:
        hit = gallery.search(rendered / "scene0" / "view0.jpg", rerank=("spatial",))[0]
    assert hit.path == "scene0/view0.jpg"
    assert hit.inliers > 50
    np.testing.assert_allclose(hit.box, [[0, 0], [300, 0], [300, 300], [0, 300]], atol=1)
    np.testing.assert_allclose(hit.matches[:, :2], hit.matches[:, 2:], atol=2)


def test_a_box_in_a_large_photo(indexed, tmp_path) -> None:
    """A scene at twice its size, somewhere in a larger picture: the box says where."""
    import cv2

    canvas = np.full((1200, 1500, 3), 40, np.uint8)
    canvas[100:700, 100:700] = cv2.resize(view(1, 0), (600, 600))
    canvas[500:1100, 800:1400] = cv2.resize(view(4, 0), (600, 600))
    with Gallery.open(indexed) as gallery:
        first = gallery.search(canvas, box=(100, 100, 700, 700), top=1)[0]
        second = gallery.search(canvas, box=(800, 500, 1400, 1100), top=1)[0]
        over = gallery.search(canvas, box=(800, 500, 4000, 1100), top=1)[0]
    assert (
        first.path.startswith("scene1/")
        and second.path.startswith("scene4/")
        and over.path.startswith("scene4/")
    )
    if second.path == "scene4/view0.jpg":
        np.testing.assert_allclose(second.box, [[0, 0], [300, 0], [300, 300], [0, 300]], atol=4)


def test_threads_that_search_first_set_up_one_describer(indexed, rendered, monkeypatch) -> None:
    from kinfold.gallery import reader as module

    made = []

    class Slow(module.Describer):
        def __init__(self, *given: object) -> None:
            made.append(1)
            time.sleep(0.1)
            super().__init__(*given)

    monkeypatch.setattr(module, "Describer", Slow)
    photo = rendered / "scene1" / "view0.jpg"
    with Gallery.open(indexed) as gallery, ThreadPoolExecutor(3) as pool:
        assert len(list(pool.map(gallery.describe, [photo] * 3))) == 3
    assert len(made) == 1


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 10, 50), "x0 < x1"),
        ((50, 10, 10, 60), "x0 < x1"),
        ((400, 400, 500, 500), "inside the photo"),
        ((0, 0, 2, 2), "at least 8 pixels"),
        ((0, 0, float("nan"), 9), "x0, y0, x1, y1"),
        ((1, 2, 3), "x0, y0, x1, y1"),
    ],
)
def test_bad_boxes(indexed, rendered, box, words) -> None:
    with Gallery.open(indexed) as gallery, pytest.raises(ValueError, match=words):
        gallery.search(rendered / "scene0" / "view0.jpg", box=box)


def test_bad_arguments(indexed, rendered, tmp_path) -> None:
    photo = rendered / "scene0" / "view0.jpg"
    with Gallery.open(indexed) as gallery:
        with pytest.raises(ValueError, match="rerank: expected one of"):
            gallery.search(photo, rerank=("magic",))
        with pytest.raises(ValueError, match="each stage once"):
            gallery.search(photo, rerank=("spatial", "spatial"))
        for top in (0, -1, 1.5, True):
            with pytest.raises(ValueError, match="top"):
                gallery.search(photo, top=top)
        with pytest.raises(ImageError, match="cannot be read"):
            gallery.search(tmp_path / "none.jpg")
        with pytest.raises(ValueError, match="uint8"):
            gallery.search(np.zeros((10, 10, 3), np.int64))
        with pytest.raises(ValueError, match="boxes: expected 1"):
            gallery.search_many([photo], boxes=[None, None])


def test_chain_ends_at_the_result(indexed, rendered) -> None:
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene2" / "view1.jpg")
        answer = gallery.rank(query)
        last = gallery.hits(query, answer, VIEWS)[-1]
        ids, similarities = gallery.chain(query, answer, last.id)
        assert ids[-1] == last.id and len(ids) == len(similarities)
        assert gallery.chain(query, gallery.rank(query, rerank=()), last.id) == ([], [])


def test_same_answers_for_any_number_of_threads(rendered, tmp_path) -> None:
    from kinfold import use_threads

    answers = []
    for threads in (1, 3):
        with (
            use_threads(threads),
            Gallery.create(tmp_path / f"{threads}.kin", codewords=8) as gallery,
        ):
            gallery.update(rendered, verbose=False)
            answers.append(
                [hit.to_dict() for hit in gallery.search(rendered / "scene2" / "view1.jpg")]
            )
    assert answers[0] == answers[1]


def test_a_model_from_another_gallery(indexed, rendered, tmp_path) -> None:
    with Gallery.create(tmp_path / "own.kin", model=indexed, codewords=16) as gallery:
        assert not gallery.update(rendered / "scene0", verbose=False).relearnt
        assert gallery.info()["model_learnt_on"] == SCENES * VIEWS
        assert not gallery.info()["own_model"]
        gallery.update(rendered / "scene0", relearn=True, verbose=False)
        assert gallery.info()["model_learnt_on"] == VIEWS
    with pytest.raises(GalleryError, match="other settings"):
        Gallery.create(tmp_path / "other.kin", model=indexed, max_features=300)
    assert not (tmp_path / "other.kin").exists()
    with pytest.raises(GalleryError, match="no such model"):
        Gallery.create(tmp_path / "other.kin", model=tmp_path / "none")


def test_creating_where_something_is(indexed, rendered, tmp_path) -> None:
    with pytest.raises(GalleryError, match="is a gallery already"):
        Gallery.create(indexed)
    with pytest.raises(GalleryError, match="not empty"):
        Gallery.create(rendered)
    (tmp_path / "file").write_text("x")
    with pytest.raises(GalleryError, match="is a file"):
        Gallery.create(tmp_path / "file")
    # What is left where making a gallery was interrupted is no hindrance.
    left = tmp_path / "left.kin"
    (left / "segments").mkdir(parents=True)
    for name in ("LOCK", "photos.sqlite", "photos.sqlite-journal", ".MANIFEST.json.1.tmp"):
        (left / name).write_bytes(b"")
    Gallery.create(left).close()
    for settings, words in (
        ({"engine": "magic"}, "engine"),
        ({"wings": 2}, "wings"),
        ({"dim": 0}, "dim"),
        ({"engine": "cnn"}, "weights"),
    ):
        with pytest.raises(ValueError, match=words):
            Gallery.create(tmp_path / "new.kin", **settings)
    for pooling in ("magic", "gem+", 3):
        with pytest.raises(ValueError, match="^pooling: expected one of"):
            Gallery.create(tmp_path / "new.kin", pooling=pooling)
    with pytest.raises(ValueError, match="one for each of 3 networks"):
        Settings(pooling="gem+spoc").poolings(3)
    assert Settings(pooling="gem+spoc-centre").poolings(2) == ("gem", "spoc-centre")
    assert Settings(pooling="crow").poolings(2) == ("crow", "crow")
    with pytest.raises(ValueError, match="up to 4, got 5"):
        Gallery.create(tmp_path / "new.kin", engine="cnn", weights=["x"] * 5)
    with pytest.raises(ValueError, match="uses none"):
        Gallery.create(tmp_path / "new.kin", weights="x")
    assert not (tmp_path / "new.kin").exists()


def test_opening_what_is_no_gallery(rendered, tmp_path) -> None:
    with pytest.raises(GalleryError, match="no such gallery"):
        Gallery.open(tmp_path / "none.kin")
    with pytest.raises(GalleryError, match="not a gallery"):
        Gallery.open(rendered)
    with (
        Gallery.create(tmp_path / "empty.kin") as gallery,
        pytest.raises(GalleryError, match="no photos yet"),
    ):
        gallery.search(rendered / "scene0" / "view0.jpg")


def test_damage_is_found(gallery_path, rendered) -> None:
    photo = rendered / "scene0" / "view0.jpg"
    manifest = json.loads((gallery_path / "MANIFEST.json").read_text())
    for name in ("model", "index", "graph"):
        file = gallery_path / "parts" / manifest["parts"][name]
        good = file.read_bytes()
        bad = bytearray(good)
        bad[-1 - len(bad) // 3] ^= 4
        for content in (bytes(bad), good[:-7], b""):
            file.write_bytes(content)
            with Gallery.open(gallery_path) as gallery, pytest.raises(FileFormatError):
                gallery.search(photo)
            with Gallery.open(gallery_path) as gallery, pytest.raises(FileFormatError):
                gallery.info(verify=True)
        file.unlink()
        with Gallery.open(gallery_path) as gallery, pytest.raises(FileFormatError):
            gallery.search(photo)
        file.write_bytes(good)
    segment = next((gallery_path / "segments").iterdir())
    bad = bytearray(segment.read_bytes())
    bad[-100] ^= 1
    segment.write_bytes(bytes(bad))
    with Gallery.open(gallery_path) as gallery, pytest.raises(FileFormatError):
        gallery.info(verify=True)


def test_hostile_manifests(gallery_path) -> None:
    path = gallery_path / "MANIFEST.json"
    good = json.loads(path.read_text())
    for change in (
        {"format": 99}, {"format": True}, {"format": None}, {"wings": 1},
        {"parts": {"model": "../../etc/passwd"}}, {"parts": {"magic": "x"}},
        {"segments": ["a/b"]}, {"segments": "abc"}, {"segments": [3]}, {"photos": 3}, {"own_model": 1},
        {"settings": {}}, {"settings": {**good["settings"], "dim": -1}},
        {"settings": {**good["settings"], "network_scales": 3}},
    ):  # fmt: skip
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(FileFormatError):
            Gallery.open(gallery_path)
    for text in ("", "[]", "{", "[" * 100_000, "null", "\xff"):
        path.write_bytes(text.encode("latin1"))
        with pytest.raises(FileFormatError):
            Gallery.open(gallery_path)


def test_a_moved_gallery_works(gallery_path, rendered) -> None:
    target = gallery_path.with_name("elsewhere.kin")
    shutil.move(gallery_path, target)
    with Gallery.open(target) as gallery:
        assert gallery.search(rendered / "scene1" / "view0.jpg", top=1)[0].path.startswith(
            "scene1/"
        )
