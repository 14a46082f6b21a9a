"""Stages in any order: what each does to ids, scores and sources, and which are refused before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours, Ranking
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.rerank import METHODS
from kinfold.rerank.pipeline import checked, line_of, rerank_by, stage_named, stages_for
from kinfold.rerank.stage import Asked, Ranked, RankedList

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


def first() -> RankedList:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, -1.0], np.float32)
    return RankedList.first(scores, np.array([10, 20, 30, 40, 50, -1]))


def chain() -> KNNGraph:
    """10 - 20 - 30 - 40 - 50 - 60, each as near to its neighbour as the next."""
    n = len(IDS)
    ids = np.array([[i - 1 if i else -1, i + 1 if i < n - 1 else -1] for i in range(n)])
    return KNNGraph.from_neighbours(ids=ids, similarities=np.full(ids.shape, 0.8, np.float32), n=n)


def look(
    name: str,
    ranked: RankedList,
    photos: dict[int, LocalFeatures] | None = None,
    query: LocalFeatures = QUERY,
    search: Callable[[LocalFeatures], Neighbours] | None = None,
    region: Any = None,
    **options: Any,
) -> RankedList:
    """One stage on the list of one query."""
    asked = Asked(
        graph=chain(),
        ids=IDS,
        local=[query],
        regions=[region],
        features=None if photos is None else photos.__getitem__,
        search=None if search is None else lambda _, local: search(local),
    )
    if name == "diffusion":
        options = {"k_query": 1, "alpha": 0.9, "blend": True, **options}
    return rerank_by([name], asked, Ranked.joined([ranked]), {name: options}).lists[0]


def test_the_lecture_ranks_by_what_diffuses_alone(photos: dict[int, LocalFeatures]) -> None:
    # Weights 1 along the chain of six: W and y by hand, a dense solve.
    degrees = np.array([1, 2, 2, 2, 2, 1.0])
    walk = (np.eye(6, k=1) + np.eye(6, k=-1)) / np.sqrt(np.outer(degrees, degrees))
    y = np.array([0.9**3, 0.8**3, 0, 0, 0, 0])
    f = np.linalg.solve(np.eye(6) - 0.99 * walk, 0.01 * y)
    verified = look("spatial", first(), photos)
    answer = look("diffusion-lecture", verified, k_query=2)
    # 60 was not in the first answer, and what geometry said does not count.
    np.testing.assert_array_equal(answer.ids, IDS[np.argsort(-f)])
    np.testing.assert_allclose(answer.scores, np.sort(f)[::-1] / f.max(), rtol=1e-4)
    assert answer.sources.tolist() == [10, 20] and set(answer.verified) == set(verified.verified)


def test_what_the_lecture_does_not_reach_stays_in_its_order() -> None:
    apart = KNNGraph.from_neighbours(
        ids=np.array([[1], [0], [3], [2], [-1], [-1]]),
        similarities=np.full((6, 1), 0.8, np.float32),
    )
    asked = Asked(graph=apart, ids=IDS)
    answer = rerank_by(
        ["diffusion-lecture"],
        asked,
        Ranked.joined([first()]),
        {"diffusion-lecture": {"k_query": 1}},
    ).lists[0]
    assert set(answer.ids[:2].tolist()) == {10, 20}
    assert answer.ids[2:].tolist() == [30, 40, 50] and not answer.scores[2:].any()


def test_the_first_answer_drops_what_is_no_photo() -> None:
    assert first().ids.tolist() == [10, 20, 30, 40, 50]


def test_spatial_puts_verified_photos_first(photos: dict[int, LocalFeatures]) -> None:
    answer = look("spatial", first(), photos)
    assert answer.ids.tolist() == [40, 30, 10, 20, 50]
    assert (np.diff(answer.scores) < 0).all()
    assert answer.verified[40].inliers == 54 and set(answer.verified) == {10, 20, 30, 40, 50}
    few = look("spatial", first(), photos, top=2)
    assert few.ids.tolist() == first().ids.tolist() and set(few.verified) == {10, 20}


def test_diffusion_reaches_what_the_index_did_not() -> None:
    answer = look("diffusion", first())
    assert set(answer.ids.tolist()) == set(IDS.tolist()) and answer.sources.tolist() == [10]
    assert (np.diff(answer.scores) <= 0).all()
    assert set(answer.ids[:2].tolist()) == {10, 20} and answer.ids[-1] == 60


def test_what_diffuses_counts_as_much_as_its_source_is_like_the_query() -> None:
    ranked = first()
    diffused = Diffusion(chain(), alpha=0.9).scores(similarities=ranked.scores[:1], ids=[0])
    diffused = diffused.astype(np.float64)
    known = np.append(ranked.scores, ranked.scores.min())
    expected = known + ranked.scores[0] * diffused / diffused.max()
    answer = look("diffusion", ranked)
    np.testing.assert_allclose(answer.scores, np.sort(expected)[::-1], rtol=1e-5)
    assert answer.ids.tolist() == IDS[np.argsort(-expected)].tolist()


def test_verified_photos_are_the_sources_and_stay_first(photos: dict[int, LocalFeatures]) -> None:
    answer = look("diffusion", look("spatial", first(), photos))
    assert answer.ids[:2].tolist() == [40, 30] and set(answer.sources.tolist()) == {40, 30}
    assert sorted(answer.ids.tolist()) == IDS.tolist() and (np.diff(answer.scores) <= 0).all()


def test_the_other_order_verifies_what_diffusion_found(photos: dict[int, LocalFeatures]) -> None:
    answer = look("spatial", look("diffusion", first()), photos)
    assert answer.ids[:2].tolist() == [40, 30] and len(set(answer.ids.tolist())) == 6


def test_nothing_in_nothing_out(photos: dict[int, LocalFeatures]) -> None:
    none = RankedList.first(np.array([-np.inf], np.float32), np.array([-1]))
    assert len(look("diffusion", none).ids) == 0
    assert len(look("spatial", none, photos).ids) == 0
    with pytest.raises(ValueError, match="^k_query: expected"):
        look("diffusion", none, k_query=0)
    with pytest.raises(ValueError, match="^top: expected"):
        look("spatial", none, photos, top=0)


def test_expansion_searches_with_what_was_verified(photos: dict[int, LocalFeatures]) -> None:
    asked: list[int] = []

    def search(local: LocalFeatures) -> Neighbours:
        asked.append(len(local))
        return Neighbours(np.linspace(0.9, 0.1, 6, dtype=np.float32), IDS[::-1].copy())

    # Shows what photo 40 shows, of which the query knows a part.
    photos[60] = features(60, photos[40], 0.4)
    answer = look("expansion", first(), photos, search=search)
    assert len(asked) == 1 and 60 < asked[0] <= 180
    assert answer.ids.tolist() == [40, 30, 60, 50, 20, 10]
    assert set(answer.verified) == set(IDS.tolist()) and (np.diff(answer.scores) < 0).all()
    # Where spatial verification ran before, it is not done again; where nothing is sure, nothing is added.
    verified = look("spatial", first(), photos)
    again = look("expansion", verified, photos, search=search)
    assert again.ids.tolist() == answer.ids.tolist()
    stranger = look("expansion", first(), photos, features(99), search)
    assert stranger.ids.tolist() == first().ids.tolist() and len(asked) == 2


def test_kinds_of_expansion(photos: dict[int, LocalFeatures]) -> None:
    """Average lends whole photos; recursive goes on while more are verified, and stops there."""
    asked: list[int] = []
    # 20 shows what 60 shows alone, 60 what the query and 40 know: each search brings up the next.
    photos[60], photos[20] = features(60, QUERY, 0.3), features(20, QUERY, 0.2)
    answers = [[40, 10, 60], [40, 60, 10], [40, 60, 20, 10], [40, 60, 20, 10]]

    def search(local: LocalFeatures) -> Neighbours:
        asked.append(len(local))
        ids = np.array(answers[len(asked)])
        return Neighbours(np.linspace(0.9, 0.1, len(ids), dtype=np.float32), ids)

    def expanded(kind: str) -> RankedList:
        asked.clear()
        ranked = RankedList.first(np.array([0.9, 0.8], np.float32), np.array([40, 10]))
        return look("expansion", ranked, photos, search=search, region=(0, 0, 250, 500), kind=kind)

    expanded("transformed")
    assert len(asked) == 1 and 60 < asked[0] < 120
    expanded("average")
    assert asked == [120]
    answer = expanded("recursive")
    assert len(asked) == 3 and asked == sorted(asked)
    assert answer.ids[:3].tolist() == [40, 60, 20]
    with pytest.raises(ValueError, match="^kind: expected one of transformed, average, recursive"):
        expanded("transitive")


def test_several_queries_are_looked_at_one_by_one(photos: dict[int, LocalFeatures]) -> None:
    other = features(7, photos[20], 0.8)
    shorter = RankedList.first(np.array([0.5, 0.4], np.float32), np.array([10, 20]))
    both = rerank_by(
        ["spatial"],
        Asked(local=[QUERY, other], features=photos.__getitem__),
        Ranked.joined([first(), shorter]),
    )
    assert both.ids.tolist() == [[40, 30, 10, 20, 50], [20, 10, -1, -1, -1]]
    assert both.scores[1, 2:].tolist() == [-np.inf] * 3
    alone = look("spatial", shorter, photos, other)
    assert both.lists[1].ids.tolist() == alone.ids.tolist()


def test_a_stage_whose_need_is_missing_is_refused_before_any_work() -> None:
    def never(_: int) -> LocalFeatures:
        raise AssertionError("was looked at")

    asked = Asked(local=[QUERY], features=never, graph=chain(), ids=IDS)
    for name, lacking in (("expansion", "search"), ("aqe", "base, queries")):
        with pytest.raises(ValueError, match=f"^rerank: {name} needs {lacking}; expected one of"):
            rerank_by(["spatial", name], asked, Ranked.joined([first()]))
    with pytest.raises(ValueError, match="^rerank: expected one of spatial, "):
        rerank_by(["spatial", "magic"], asked, Ranked.joined([first()]))
    with pytest.raises(ValueError, match="each stage once"):
        checked(["spatial", "spatial"], asked.offers)


@pytest.mark.parametrize("name", METHODS)
def test_every_stage_says_what_it_needs_and_does(name: str) -> None:
    stage = stage_named(name, {})
    assert stage.needs and stage.needs <= set(Asked.__dataclass_fields__)
    assert name in stages_for(stage.needs) and name not in stages_for(())
    assert line_of(name).endswith(".") and len(line_of(name)) < 100


def test_vectors_and_photos_are_one_pipeline(rng: np.random.Generator) -> None:
    """Rows that go by other names: the names come out, and what was verified stays."""
    base = rng.normal(size=(40, 6)).astype("f4")
    ids = rng.permutation(1000)[:40]
    similarities = (base[:2] @ base.T)[:, :8]
    plain = Asked(queries=base[:2], base=base, graph=KNNGraph.build(base, 5))
    named = Asked(queries=base[:2], base=base, graph=plain.graph, ids=ids)
    rows = np.tile(np.arange(8), (2, 1))
    for name in stages_for(plain.offers):
        by_row = rerank_by([name], plain, Ranking(scores=similarities, ids=rows))
        by_name = rerank_by([name], named, Ranking(scores=similarities, ids=ids[rows]))
        assert np.array_equal(np.where(by_row.ids >= 0, ids[by_row.ids], -1), by_name.ids)
        assert by_name.lists[0].first_ids.tolist() == ids[:8].tolist()
    with pytest.raises(ValueError, match="^ids: expected those that were searched, got 1001"):
        strange = Ranking(scores=similarities[:, :1], ids=np.full((2, 1), 1001))
        rerank_by(["aqe"], named, strange)


def test_the_page_of_second_looks_is_the_catalogue() -> None:
    page = Path(__file__).parents[2] / "docs" / "methods" / "expansion.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {line_of(name)} | {', '.join(sorted(stage_named(name, {}).needs))} |"
        for name in METHODS
    ]
