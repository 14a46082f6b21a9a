"""Stages in any order: what each does to ids, scores and sources."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.rerank.pipeline import Answer, Expansion, Manifold, Spatial

IDS = np.array([10, 20, 30, 40, 50, 60])


def features(seed: int, like: LocalFeatures | None = None, share: float = 1.0) -> LocalFeatures:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 500, (60, 2)).astype(np.float32)
    descriptors = rng.integers(0, 256, (60, 128), dtype=np.uint8)
    if like is not None:
        k = round(60 * share)
        positions[:k], descriptors[:k] = like.positions[:k] + 7, like.descriptors[:k]
    return LocalFeatures(
        positions, np.full(60, 3, np.float32), np.zeros(60, np.float32), descriptors
    )


QUERY = features(0)


@pytest.fixture
def photos() -> dict[int, LocalFeatures]:
    """40 and 30 show what the query shows, the others do not."""
    found = {int(i): features(int(i)) for i in IDS}
    found[40], found[30] = features(40, QUERY, 0.9), features(30, QUERY, 0.5)
    return found


def first() -> Answer:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, -1.0], np.float32)
    return Answer.first(np.array([10, 20, 30, 40, 50, -1]), scores)


def chain() -> KNNGraph:
    """10 - 20 - 30 - 40 - 50 - 60, each as near to its neighbour as the next."""
    n = len(IDS)
    ids = np.array([[i - 1 if i else -1, i + 1 if i < n - 1 else -1] for i in range(n)])
    return KNNGraph.from_neighbours(ids, np.full(ids.shape, 0.8, np.float32), n)


def test_the_first_answer_drops_what_is_no_photo() -> None:
    assert first().ids.tolist() == [10, 20, 30, 40, 50]


def test_spatial_puts_verified_photos_first(photos: dict[int, LocalFeatures]) -> None:
    answer = Spatial(photos.__getitem__)(QUERY, first())
    assert answer.ids.tolist() == [40, 30, 10, 20, 50]
    assert (np.diff(answer.scores) < 0).all()
    assert answer.verified[40].inliers == 54 and set(answer.verified) == {10, 20, 30, 40, 50}
    few = Spatial(photos.__getitem__, top=2)(QUERY, first())
    assert few.ids.tolist() == first().ids.tolist() and set(few.verified) == {10, 20}


def test_diffusion_reaches_what_the_index_did_not(photos: dict[int, LocalFeatures]) -> None:
    answer = Manifold(chain(), IDS)(QUERY, first())
    assert set(answer.ids.tolist()) == set(IDS.tolist()) and answer.sources.tolist() == [10]
    assert (np.diff(answer.scores) <= 0).all()
    assert set(answer.ids[:2].tolist()) == {10, 20} and answer.ids[-1] == 60


def test_what_diffuses_counts_as_much_as_its_source_is_like_the_query() -> None:
    found = first()
    diffused = Diffusion(chain(), alpha=0.9).scores([0], found.scores[:1]).astype(np.float64)
    known = np.append(found.scores, found.scores.min())
    expected = known + found.scores[0] * diffused / diffused.max()
    answer = Manifold(chain(), IDS)(QUERY, found)
    np.testing.assert_allclose(answer.scores, np.sort(expected)[::-1], rtol=1e-5)
    assert answer.ids.tolist() == IDS[np.argsort(-expected)].tolist()


def test_verified_photos_are_the_sources_and_stay_first(photos: dict[int, LocalFeatures]) -> None:
    verified = Spatial(photos.__getitem__)(QUERY, first())
    answer = Manifold(chain(), IDS)(QUERY, verified)
    assert answer.ids[:2].tolist() == [40, 30] and set(answer.sources.tolist()) == {40, 30}
    assert sorted(answer.ids.tolist()) == IDS.tolist() and (np.diff(answer.scores) <= 0).all()


def test_the_other_order_verifies_what_diffusion_found(photos: dict[int, LocalFeatures]) -> None:
    answer = Spatial(photos.__getitem__)(QUERY, Manifold(chain(), IDS)(QUERY, first()))
    assert answer.ids[:2].tolist() == [40, 30] and len(set(answer.ids.tolist())) == 6


def test_nothing_in_nothing_out() -> None:
    none = Answer.first(np.array([-1]), np.array([-np.inf], np.float32))
    assert len(Manifold(chain(), IDS)(QUERY, none).ids) == 0
    assert len(Spatial(lambda _: QUERY)(QUERY, none).ids) == 0
    with pytest.raises(ValueError, match="^k_query: expected"):
        Manifold(chain(), IDS, k_query=0)
    with pytest.raises(ValueError, match="^top: expected"):
        Spatial(lambda _: QUERY, top=0)


def test_expansion_searches_with_what_was_verified(photos: dict[int, LocalFeatures]) -> None:
    asked: list[int] = []

    def search(local: LocalFeatures) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(local))
        return IDS[::-1].copy(), np.linspace(0.9, 0.1, 6, dtype=np.float32)

    # Shows what photo 40 shows, of which the query knows a part.
    photos[60] = features(60, photos[40], 0.4)
    expand = Expansion(search, Spatial(photos.__getitem__), photos.__getitem__)
    answer = expand(QUERY, first())
    assert len(asked) == 1 and 60 < asked[0] <= 180
    assert answer.ids.tolist() == [40, 30, 60, 50, 20, 10]
    assert set(answer.verified) == set(IDS.tolist()) and (np.diff(answer.scores) < 0).all()
    # Where spatial verification ran before, it is not done again; where nothing is sure, nothing is added.
    verified = Spatial(photos.__getitem__)(QUERY, first())
    assert expand(QUERY, verified).ids.tolist() == answer.ids.tolist()
    stranger = features(99)
    assert expand(stranger, first()).ids.tolist() == first().ids.tolist() and len(asked) == 2


def test_kinds_of_expansion(photos: dict[int, LocalFeatures]) -> None:
    """Average lends whole photos; recursive goes on while more are verified, and stops there."""
    asked: list[int] = []
    # 20 shows what 60 shows alone, 60 what the query and 40 know: each search brings up the next.
    photos[60], photos[20] = features(60, QUERY, 0.3), features(20, QUERY, 0.2)
    answers = [[40, 10, 60], [40, 60, 10], [40, 60, 20, 10], [40, 60, 20, 10]]

    def search(local: LocalFeatures) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(local))
        ids = np.array(answers[len(asked)])
        return ids, np.linspace(0.9, 0.1, len(ids), dtype=np.float32)

    def expanded(kind: str) -> Answer:
        asked.clear()
        expand = Expansion(
            search,
            Spatial(photos.__getitem__),
            photos.__getitem__,
            region=(0, 0, 250, 500),
            kind=kind,
        )
        return expand(QUERY, Answer.first(np.array([40, 10]), np.array([0.9, 0.8], np.float32)))

    expanded("transformed")
    assert len(asked) == 1 and 60 < asked[0] < 120
    expanded("average")
    assert asked == [120]
    answer = expanded("recursive")
    assert len(asked) == 3 and asked == sorted(asked)
    assert answer.ids[:3].tolist() == [40, 60, 20]
    with pytest.raises(ValueError, match="^kind: expected one of transformed, average, recursive"):
        expanded("transitive")
