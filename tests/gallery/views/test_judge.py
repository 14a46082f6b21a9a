"""A gallery is judged by the queries of a ground truth."""

from __future__ import annotations

import pytest

from kinfold import Gallery
from kinfold.base.errors import GalleryError
from kinfold.evaluate import GroundTruth
from kinfold.gallery import search

from ..conftest import SCENES, VIEWS


def test_evaluate_by_hand(indexed, rendered) -> None:
    names = [f"scene{s}/view{v}" for s in range(SCENES) for v in range(VIEWS)]
    gnd = [
        {"ok": [s * VIEWS + v for v in range(1, VIEWS)], "junk": [s * VIEWS], "bbx": None}
        for s in range(SCENES)
    ]
    truth = GroundTruth.from_dict(
        {"imlist": names, "qimlist": [f"scene{s}/view0" for s in range(SCENES)], "gnd": gnd}
    )
    with Gallery.open(indexed) as gallery:
        assert gallery.evaluate(truth).map == pytest.approx(1.0)
        fewer = GroundTruth.from_dict(
            {
                "imlist": names[:8],
                "qimlist": ["scene0/view0"],
                "gnd": [{"ok": [1, 2, 3], "junk": [0]}],
            }
        )
        judged = gallery.evaluate(fewer, rerank=())
        assert judged.depth == 8
        strange = GroundTruth.from_dict({"imlist": ["a"], "qimlist": ["b"], "gnd": [{"ok": [0]}]})
        with pytest.raises(GalleryError, match="no photo of the ground truth"):
            gallery.evaluate(strange)
        lost = GroundTruth.from_dict({"imlist": names[:1], "qimlist": ["b"], "gnd": [{"ok": [0]}]})
        with pytest.raises(GalleryError, match="no photo for the query 'b'"):
            gallery.evaluate(lost)


def test_what_ways_have_in_common_is_done_once(indexed, rendered, monkeypatch) -> None:
    names = [f"scene{s}/view{v}" for s in range(SCENES) for v in range(VIEWS)]
    truth = GroundTruth.from_dict(
        {"imlist": names, "qimlist": names[:1], "gnd": [{"ok": [1, 2, 3], "junk": [0]}]}
    )
    looks = []
    real = search.second_look
    look = lambda *a, **o: (looks.append(a[3]), real(*a, **o))[1]  # noqa: E731
    monkeypatch.setattr(search, "second_look", look)
    ways = [(), ("spatial",), ("spatial", "diffusion"), ("spatial", "expansion")]
    with Gallery.open(indexed) as gallery:
        judged = gallery.evaluate_ways(truth, ways)
        alone = [gallery.evaluate(truth, rerank=way) for way in ways]
    assert sorted(looks[:3]) == ["diffusion", "expansion", "spatial"] and len(looks) == 3 + 5
    assert [one.map for one in judged] == [one.map for one in alone]
