"""Photos that geometry confirms through others come behind those that it confirms directly, and before the rest."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.graph.knn import KNNGraph
from kinfold.local.match import match_many
from kinfold.local.verify import verify_many
from kinfold.rerank.confirmed import ConfirmedStage
from kinfold.rerank.stage import Asked, Ranked, RankedList

pytest.importorskip("cv2")

# The query shows thing 0; photo 10 things 0 and 1, photo 11 things 1 and 2, photo 12 thing 2, photo 13 none of them.
SHOWN = {10: (0, 1), 11: (1, 2), 12: (2,), 13: (7,), 14: (8,)}
IDS = np.array([14, 12, 10, 11, 13])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32)


@pytest.fixture
def photos() -> dict[int, LocalFeatures]:
    """Each thing thirty points that move as one; every photo has thirty of its own besides."""

    def seen(things: tuple[int, ...], number: int) -> LocalFeatures:
        positions, descriptors = [], []
        for thing in (*things, 100 + number):
            random = np.random.default_rng(thing)
            points = random.uniform(0, 300, (30, 2))
            positions.append(points * (1 + 0.1 * number) + [20 * number, 5 * number])
            descriptors.append(random.integers(0, 120, (30, 128)))
        every = np.concatenate(positions).astype(np.float32)
        return LocalFeatures(
            every, np.full(len(every), 4, np.float32), np.zeros(len(every), np.float32),
            np.concatenate(descriptors).astype(np.uint8),
        )  # fmt: skip

    return {-1: seen((0,), 0), **{id: seen(SHOWN[id], id % 5) for id in SHOWN}}


@pytest.fixture
def graph() -> KNNGraph:
    """A chain 10 - 11 - 12 - 13 - 14, its nodes in the order of IDS."""
    place = {id: row for row, id in enumerate(IDS.tolist())}
    lists = np.full((5, 2), -1)
    for a, b in ((10, 11), (11, 12), (12, 13), (13, 14)):
        lists[place[a], 1], lists[place[b], 0] = place[b], place[a]
    return KNNGraph.from_neighbours(
        ids=lists, similarities=np.full(lists.shape, 0.8, np.float32), n=5
    )


def ranked(photos: dict[int, LocalFeatures]) -> RankedList:
    """The first answer, in which the query was compared with all."""
    query, others = photos[-1], [photos[id] for id in IDS.tolist()]
    found = verify_many(query, others, match_many(query, others))
    return RankedList(SCORES, IDS, SCORES, IDS, verified=dict(zip(IDS.tolist(), found)))


def run(photos, graph, one: RankedList, **options) -> RankedList:
    asked = Asked(graph=graph, ids=IDS, features=photos.__getitem__)
    return Ranked.of(ConfirmedStage(**options)(asked, Ranked.joined([one]))).lists[0]


def test_confirmed_first_the_rest_as_it_was(photos, graph) -> None:
    before = ranked(photos)
    assert [id for id in IDS.tolist() if before.verified[id].inliers >= 6] == [10]
    after = run(photos, graph, before)
    # Of equal ways the order stays.
    assert after.ids.tolist() == [10, 12, 11, 14, 13]
    assert set(after.through) == {11, 12}
    assert after.through[11][1] == 10 and after.through[12][1] == 11
    assert all(inliers >= 6 for inliers, _ in after.through.values())
    # The weakest pair on the way counts.
    assert after.through[12][0] <= after.through[11][0] <= before.verified[10].inliers
    # Scores of all others stay.
    kept = dict(zip(before.ids.tolist(), before.scores.tolist()))
    assert all(
        kept[id] == score
        for id, score in zip(after.ids.tolist(), after.scores.tolist())
        if id not in (11, 12)
    )
    # Once more finds nothing else, and looks at nothing twice.
    again = run(photos, graph, after)
    assert again.ids.tolist() == after.ids.tolist() and again.tried >= after.tried
    assert again.through == after.through


def test_limits(photos, graph) -> None:
    before = ranked(photos)
    assert run(photos, graph, before, pairs=1).ids.tolist() == [10, 11, 14, 12, 13]
    assert (
        run(photos, graph, before, top=2).through == {}
    )  # 14 and 12 alone, beside nobody that is confirmed
    assert run(photos, graph, before, least_inliers=500).ids.tolist() == IDS.tolist()
    plain = RankedList(SCORES, IDS, SCORES, IDS)
    assert run(photos, graph, plain).ids.tolist() == IDS.tolist()
    with pytest.raises(ValueError, match="^pairs: "):
        ConfirmedStage(pairs=0)
