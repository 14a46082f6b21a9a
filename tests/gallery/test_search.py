"""From a query to hits, on a snapshot that no folder holds."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours
from kinfold.gallery import fused, search
from kinfold.gallery.parts import Parts
from kinfold.gallery.photo import Photo
from kinfold.gallery.query import Query
from kinfold.gallery.reader import Snapshot
from kinfold.graph.knn import KNNGraph

IDS = np.array([3, 1, 4, 5, 9])
NOTHING = LocalFeatures(
    np.empty((0, 2), np.float32),
    np.empty(0, np.float32),
    np.empty(0, np.float32),
    np.empty((0, 128), np.uint8),
)


class Fused:
    """Photos by falling similarity, in the order of their ids above."""

    ids, nearest = IDS, {}
    depth = fused.Fused.depth

    def __len__(self) -> int:
        return len(IDS)

    def search(self, query: Query, depth: int, may: Any = None, beside: int = 0) -> Neighbours:
        return Neighbours(np.linspace(0.9, 0.1, 5, dtype=np.float32)[:depth], IDS[:depth])


@dataclass
class Table:
    """Photos that are there."""

    present: tuple[int, ...]

    def by_ids(self, ids: Any) -> dict[int, Photo]:
        return {int(i): Photo(int(i), f"{i}.jpg", 1, 1) for i in ids if i in self.present}


class Store:
    """A manifest that names a folder."""

    def read(self) -> Any:
        return type("Manifest", (), {"photos": "photos"})


def snapshot(*present: int) -> Snapshot:
    """Of a chain of five photos, those that are there."""
    lists = np.array([[-1, 1], [0, 2], [1, 3], [2, 4], [3, -1]])
    graph = KNNGraph.from_neighbours(
        ids=lists, similarities=np.full(lists.shape, 0.8, np.float32), n=5
    )
    model: Any = SimpleNamespace(looks_at_regions=None)
    parts: Any = Parts(None, model, Fused(), graph)  # type: ignore[arg-type]
    others: Any = (Table(present or tuple(IDS.tolist())), None, Store())
    return Snapshot(parts, *others)


@pytest.fixture
def query() -> Query:
    pixels = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    return Query("q.jpg", pixels, (10, 10), None, NOTHING, np.eye(3), None, seen=True)


def test_hits_in_order_without_what_is_gone(query) -> None:
    state = snapshot(3, 4, 9)
    ranked = search.rank(state, query, rerank=())
    assert ranked.ids.tolist() == [3, 4, 9] and ranked.scores.tolist() == pytest.approx(
        [0.9, 0.5, 0.1]
    )
    hits = search.hits(state, query, ranked, 2)
    assert [(hit.rank, hit.id, str(hit.file)) for hit in hits] == [
        (1, 3, "photos/3.jpg"),
        (2, 4, "photos/4.jpg"),
    ]


def test_diffusion_and_the_way_that_it_went(query) -> None:
    state = snapshot()
    ranked = search.rank(state, query, rerank=("diffusion",))
    assert ranked.sources.tolist() == [3] and sorted(ranked.ids.tolist()) == sorted(IDS.tolist())
    ids, similarities = search.chain(state, ranked, 4)
    assert ids == [3, 1, 4] and similarities == pytest.approx([0.9, 0.8, 0.8])
    assert search.chain(state, search.rank(state, query, rerank=()), 4) == ([], [])


def test_a_query_with_nothing_to_compare_finds_nothing(query) -> None:
    blank = Query("q", query.pixels, (10, 10), None, NOTHING, np.eye(3), None)
    assert len(search.rank(snapshot(), blank).ids) == 0


@pytest.mark.parametrize(
    ("rerank", "words"),
    [
        (
            ("magic",),
            "^rerank: expected one of spatial, diffusion, diffusion-lecture, random-walk, expansion, confirmed, "
            "regions, regional-diffusion, got",
        ),
        (("spatial", "aqe"), "^rerank: aqe needs base, queries; expected one of spatial"),
        (("spatial", "spatial"), "^rerank: expected each stage once"),
    ],
)
def test_stages_that_a_gallery_cannot_do(query, rerank, words) -> None:
    with pytest.raises(ValueError, match=words):
        search.rank(snapshot(), query, rerank=rerank)
