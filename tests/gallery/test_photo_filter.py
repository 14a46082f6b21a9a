"""Photos that may answer: the answer is that of the full ranking, restricted."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")
image = pytest.importorskip("PIL.Image")

import kinfold as kf
from kinfold.gallery import PhotoFilter
from kinfold.gallery.stages import all_stages

from .conftest import small_gallery, small_photos
from .test_fused import COMBINATIONS, fused_of, segment  # noqa: F401

DATES = ("2018-12-31", "2019-01-01", "2019-06-15", "2020-02-29", None, "2021-05-05")
STAGES = [(), *((name,) for name in all_stages() if not name.startswith("region"))]


@pytest.mark.parametrize("engine", COMBINATIONS)
def test_engines_compare_those_that_may_answer(engine, segment) -> None:  # noqa: F811
    fused, model = fused_of(engine, segment)
    for row, may in ((0, [2, 3, 20]), (4, [8, 5, 11, 7, 777]), (8, [])):
        features = segment.features(row)
        query = kf.gallery.query.Query(
            "", np.zeros((9, 9, 3), np.uint8), (9, 9), None, features, np.eye(3),
            model.describe(features, None),
        )  # fmt: skip
        every = fused.search(query, 9)
        kept = np.isin(every.ids, may)
        for depth in (1, 3, 9):
            found = fused.search(query, depth, np.unique(may).astype(np.int64))
            there = found.ids >= 0
            np.testing.assert_array_equal(found.ids[there], every.ids[kept][:depth])
            np.testing.assert_array_equal(found.distances[there], every.distances[kept][:depth])
        beside = fused.search(query, 1, np.unique(may).astype(np.int64), 2)
        first = {*every.ids[kept][:1].tolist(), *every.ids[:2].tolist()}
        assert set(beside.ids[beside.ids >= 0].tolist()) == first


@pytest.mark.parametrize("rerank", [*STAGES, ("spatial", "diffusion"), ("diffusion", "spatial")])
def test_every_second_look_ranks_as_among_all(indexed, rendered, rerank) -> None:
    with kf.Gallery.open(indexed) as gallery:
        may = [photo.id for photo in gallery if photo.id % 3 and "view0" not in photo.path]
        for scene in (0, 3):
            query = gallery.describe(rendered / f"scene{scene}" / "view0.jpg")
            every = gallery.rank(query, rerank=rerank)
            kept = np.isin(every.ids, may)
            found = gallery.rank(query, rerank=rerank, filter=may)
            assert found.ids.tolist() == every.ids[kept].tolist() and kept.sum() == len(may)
            np.testing.assert_allclose(found.scores, every.scores[kept], rtol=1e-6)
            hits = gallery.search(
                rendered / f"scene{scene}" / "view0.jpg", rerank=rerank, filter=may
            )
            judged = {hit.id: hit for hit in gallery.hits(query, every, len(gallery))}
            assert [(h.verdict, h.confidence) for h in hits] == [
                (judged[h.id].verdict, judged[h.id].confidence) for h in hits
            ]


def test_as_many_are_verified_as_without_a_filter(indexed, rendered) -> None:
    with kf.Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene2" / "view0.jpg")
        every = gallery.rank(query, rerank=()).ids
        may = every[8:]  # those that three verifications would not reach
        found = gallery.rank(query, rerank=("spatial",), verify_top=3, filter=may, top=3)
        assert set(every[8:11].tolist()) <= set(found.verified)
        assert set(found.ids.tolist()) <= set(may.tolist())
        again = gallery.rerank(query, found, "diffusion", filter=may)
        assert set(again.ids.tolist()) <= set(may.tolist())


@pytest.mark.parametrize("spec", ["IVF2,SQ8", "KDForest4", "PQ8x4", "LSH64,RFlat"])
def test_indexes_propose_those_that_may_answer(
    indexed, rendered, tmp_path, spec, monkeypatch
) -> None:
    shutil.copytree(indexed, tmp_path / "g.kin")
    with kf.Gallery.open(tmp_path / "g.kin") as gallery:
        may = gallery.admitted(PhotoFilter(folder=["scene1", "scene4"]))
        query = gallery.describe(rendered / "scene1" / "view0.jpg")
        expected = gallery.rank(query, rerank=(), filter=may)
        gallery.update(search=spec, verbose=False)
        monkeypatch.setattr("kinfold.gallery.fused._COMPARED", 0)
        for depth in (3, 8):  # fewer than may answer: proposed by the index; as many: all compared
            found = gallery.parts.fused.search(query, depth, may)
            np.testing.assert_array_equal(found.ids, expected.ids[:depth])
            np.testing.assert_array_equal(found.distances, expected.scores[:depth])


def test_folders(indexed, rendered) -> None:
    with kf.Gallery.open(indexed) as gallery:
        every = {photo.path: photo.id for photo in gallery}
        below = [every[f"scene3/view{number}.jpg"] for number in range(4)]
        for folder in ("scene3", "scene3/", "./scene3", rendered / "scene3", [Path("scene3")]):
            assert gallery.admitted(PhotoFilter(folder=folder)).tolist() == sorted(below)
        two = gallery.admitted(PhotoFilter(folder=("scene3", "scene1")))
        assert len(two) == 8 and set(below) <= set(two.tolist())
        for all_of_them in (
            None,
            PhotoFilter(),
            PhotoFilter(folder="."),
            PhotoFilter(folder=rendered),
        ):
            assert gallery.admitted(all_of_them).tolist() == sorted(every.values())
        for none in ("scene", "nosuch", "scene3/view0.jpg", "/elsewhere", "..", "%"):
            with pytest.raises(ValueError, match="^folder: expected one that holds photos"):
                gallery.admitted(PhotoFilter(folder=none))
        hits = gallery.search("scene3/view0.jpg", filter=PhotoFilter(folder="scene3"))
        assert {hit.id for hit in hits} == set(below) and len(hits.found) == 3


def test_dates(tmp_path) -> None:
    photos = small_photos(tmp_path / "photos", len(DATES))
    for number, day in enumerate(DATES):
        if day is not None:
            path = photos / f"{number}.jpg"
            with image.open(path) as file:
                exif = image.Exif()
                exif[0x0132] = f"{day.replace('-', ':')} 12:30:00"
                file.load()
                file.save(path, quality=92, exif=exif.tobytes())
    with kf.Gallery.open(small_gallery(tmp_path / "g.kin", photos)) as gallery:
        taken = {photo.id: photo.taken for photo in gallery}

        def days(**chosen: object) -> list[str]:
            return [taken[id][:10] for id in gallery.admitted(PhotoFilter(**chosen)).tolist()]

        known = [day for day in DATES if day is not None]
        assert days(since="0001") == known
        assert days(since="2019") == known[1:] and days(until="2019") == known[:3]
        assert days(since="2019-01-01", until="2019-06") == known[1:3]
        assert days(since="2019-01-01T12:30:00", until="2019-01-01") == known[1:2]
        assert days(since="2019-01-01 12:30:01", until="2019") == known[2:3]
        assert days(since=date(2020, 2, 29)) == known[3:]
        assert days(until=datetime(2018, 12, 31, 12, 29)) == []
        assert days(since="2030") == []
        mask = np.array([taken[photo.id] is None for photo in gallery])
        hits = gallery.search(photos / "0.jpg", filter=mask)
        assert [hit.path for hit in hits] == ["4.jpg"]
        assert gallery.search(photos / "0.jpg", filter=[]) == []


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("bad", ["yesterday", "19", "2019-6", "2019-06-01x", 2019, ""])
def test_bad_dates(name, bad) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected a date"):
        PhotoFilter(**{name: bad})


@pytest.mark.parametrize("bad", [[], [3], 3])
def test_bad_folders(bad) -> None:
    with pytest.raises(ValueError, match="^folder: expected a folder or several"):
        PhotoFilter(folder=bad)


@pytest.mark.parametrize("bad", [[True, False], [-1], [0.5], "scene1", [[1, 2]]])
def test_bad_filters(indexed, bad) -> None:
    with kf.Gallery.open(indexed) as gallery, pytest.raises(ValueError, match="^filter: expected"):
        gallery.admitted(bad)
