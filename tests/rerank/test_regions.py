"""Matching by regions as a stage: loops over the definition, and what becomes of the rest of a ranking."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kinfold.rerank.pipeline import checked, rerank_by, stages_for
from kinfold.rerank.regions import RegionsStage
from kinfold.rerank.stage import Asked, Ranked, RankedList

IDS = np.array([11, 5, 8, 20, 3, 40])


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def photos(rng) -> dict[int, np.ndarray]:
    return {int(i): unit(rng.standard_normal((n, 6))) for n, i in enumerate(IDS, 2)}


@pytest.fixture
def asked(rng, photos) -> Asked:
    queries = [unit(rng.standard_normal((n, 6))) for n in (3, 4)]
    return Asked(regional=queries, regional_of=lambda i: photos[i])


def first(scores=(0.9, 0.8, 0.7, 0.6, 0.5, 0.4)) -> Ranked:
    values = np.array(scores, np.float32)
    return Ranked.joined([RankedList.first(values, IDS), RankedList.first(values, IDS[::-1])])


@pytest.mark.parametrize("match", ["mean", "best"])
def test_photos_are_in_the_order_of_their_matches(asked, photos, match) -> None:
    better = RegionsStage(match=match)(asked, first())
    for query, one in zip(asked.regional, better.lists):
        expected = {}
        for i, regions in photos.items():
            best = [max(float(q @ r) for r in regions) for q in query]
            expected[i] = np.mean(best) if match == "mean" else max(best)
        order = sorted(photos, key=lambda i: -expected[i])
        assert one.ids.tolist() == order
        np.testing.assert_allclose(one.scores, [expected[i] for i in order], atol=1e-5)


def test_what_is_not_looked_at_follows_as_it_was(asked) -> None:
    all_, few = (RegionsStage(top=top)(asked, first()).lists[0] for top in (6, 3))
    assert sorted(few.ids[:3]) == sorted(IDS[:3]) and few.ids[3:].tolist() == IDS[3:].tolist()
    assert few.ids[:3].tolist() == [i for i in all_.ids if i in IDS[:3]]
    assert (np.diff(few.scores) <= 0).all()
    np.testing.assert_array_equal(few.first_ids, IDS)


def test_verified_photos_stay_first(asked) -> None:
    start = first().lists[0]
    found = {
        5: SimpleNamespace(inliers=9),
        20: SimpleNamespace(inliers=30),
        3: SimpleNamespace(inliers=2),
    }
    order = np.array([20, 5, 11, 8, 3, 40])
    ranked = Ranked.joined([RankedList(start.scores, order, start.scores, IDS, verified=found)])
    better = RegionsStage()(asked, ranked).lists[0]
    assert better.ids[:2].tolist() == [20, 5] and sorted(better.ids) == sorted(IDS)
    assert better.scores[0] - better.scores[1] == pytest.approx(21)
    assert (np.diff(better.scores) <= 0).all()


def test_a_blend_adds_the_first_similarity(asked, photos) -> None:
    alone = RegionsStage()(asked, first()).lists[0]
    score = dict(zip(alone.ids.tolist(), alone.scores.tolist()))
    similar = dict(zip(IDS.tolist(), (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)))
    blended = RegionsStage(blend=2.0)(asked, first()).lists[0]
    expected = {i: score[i] + 2 * similar[i] for i in score}
    assert blended.ids.tolist() == sorted(expected, key=lambda i: -expected[i])
    np.testing.assert_allclose(blended.scores, sorted(expected.values())[::-1], atol=1e-5)


def test_what_it_needs() -> None:
    assert "regions" in stages_for({"regional", "regional_of"})
    with pytest.raises(ValueError, match="regions needs regional"):
        checked(["regions"], {"queries", "base"})
    with pytest.raises(ValueError, match="^match: "):
        RegionsStage(match="sum")
    empty = Asked(regional=[np.empty((0, 6), np.float32)], regional_of=lambda i: None)
    one = Ranked.joined(list(first().lists[:1]))
    with pytest.raises(ValueError, match="^regional: "):
        rerank_by(["regions"], empty, one)
