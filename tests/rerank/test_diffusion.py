"""The stage: what diffusion reaches comes first, nothing of the first answer is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph
from kinfold.rerank.diffusion import diffusion_rerank, explain


@pytest.fixture(scope="module")
def arcs() -> tuple[KNNGraph, Any]:
    """Two quarter circles in different planes; along each, only near points resemble each other."""
    angle = np.linspace(0, np.pi / 2, 30)
    x = np.zeros((60, 5))
    x[:30, 0], x[:30, 1] = np.cos(angle), np.sin(angle)
    x[30:, 2], x[30:, 3] = np.cos(angle), np.sin(angle)
    # A slant, so that the near ends of both arcs are seen from the query.
    x[:, 4] = 0.3
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return KNNGraph.build(x, 4), x


def first_answer(x: Any, query: Any, k: int) -> tuple[Any, Any]:
    similarities = np.atleast_2d(query) @ x.T
    ids = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarities, ids, axis=1), ids


def test_follows_the_manifold(arcs: tuple[KNNGraph, Any]) -> None:
    """The far end of the query's own arc resembles it less than the other arc does."""
    graph, x = arcs
    query = x[0] + [0, 0, 0.05, 0.1, 0]
    similarities, ids = first_answer(x, query, 60)
    assert 29 not in ids[0, :30]
    ranking = diffusion_rerank(graph, similarities, ids, k_query=3, iterations=200)
    assert set(ranking.ids[0, :30].tolist()) == set(range(30))
    assert set(ranking.ids[0].tolist()) == set(range(60))


def test_scores_are_those_of_diffusion(arcs: tuple[KNNGraph, Any]) -> None:
    graph, x = arcs
    similarities, ids = first_answer(x, x[[3, 40]], 20)
    ranking = diffusion_rerank(graph, similarities, ids, alpha=0.9, k_query=5, k=10)
    scores, nodes = Diffusion(graph, alpha=0.9).rank(similarities[:, :5], ids[:, :5], k=10)
    assert np.array_equal(ranking.ids, nodes)
    assert np.array_equal(ranking.scores, scores)


def test_what_is_not_reached_keeps_its_order(islands_answer: tuple[KNNGraph, Any, Any]) -> None:
    graph, ids, similarities = islands_answer
    ranking = diffusion_rerank(graph, similarities, ids, k_query=1)
    reached = ranking.scores[0] > 0
    count = int(reached.sum())
    assert not reached[count:].any()
    assert set(ranking.ids[0, :count].tolist()) == set(range(5))
    # 7 and 6 in the order of the first answer, then the end of the list.
    assert ranking.ids[0, count:].tolist() == [7, 6, -1]
    assert ranking.scores[0, count:].tolist() == [0, 0, -np.inf]


@pytest.fixture
def islands_answer() -> tuple[KNNGraph, Any, Any]:
    """A ring of five and a ring of three."""
    lists = [[1, 4], [0, 2], [1, 3], [2, 4], [3, 0], [6, 7], [5, 7], [5, 6]]
    graph = KNNGraph.from_neighbours(np.full((8, 2), 0.9), lists)
    ids = np.array([[2, 7, 1, 6, -1, -1, -1, -1]])
    return graph, ids, np.where(ids >= 0, 0.8, -np.inf)


def test_short_answers_and_one_query(islands_answer: tuple[KNNGraph, Any, Any]) -> None:
    graph, ids, similarities = islands_answer
    ranking = diffusion_rerank(graph, similarities[0], ids[0], k_query=1, k=4)
    assert ranking.ids.shape == (1, 4)
    assert (ranking.scores > 0).all()
    empty = diffusion_rerank(graph, [[0.0, 0.0]], [[-1, -1]])
    assert (empty.ids == -1).all()


@pytest.mark.parametrize("k", [1, 3, 8, 20])
def test_each_id_stands_once(islands_answer: tuple[KNNGraph, Any, Any], k: int) -> None:
    graph, ids, similarities = islands_answer
    ranking = diffusion_rerank(graph, similarities, ids, k_query=2, k=k)
    found = ranking.valid(0)
    assert len(np.unique(found)) == len(found) == min(k, 8)
    assert (ranking.scores[0][:-1] >= ranking.scores[0][1:]).all()


def test_explains_by_a_chain_of_photos(arcs: tuple[KNNGraph, Any]) -> None:
    graph, x = arcs
    similarities, ids = first_answer(x, x[2], 60)
    chain = explain(graph, similarities[0], ids[0], 20, k_query=3)
    assert chain.ids[0] in ids[0, :3]
    assert chain.ids[-1] == 20
    assert len(chain.similarities) == len(chain.ids)
    assert chain.similarities[0] == pytest.approx(float(x[2] @ x[chain.ids[0]]), abs=1e-5)
    for a, b, s in zip(chain.ids[:-1], chain.ids[1:], chain.similarities[1:]):
        assert s == pytest.approx(float(x[a] @ x[b]), abs=1e-5)
    assert min(chain.similarities) > float(x[2] @ x[20])


def test_explains_nothing_across_islands(islands_answer: tuple[KNNGraph, Any, Any]) -> None:
    graph, ids, similarities = islands_answer
    assert len(explain(graph, similarities, ids, 5, k_query=1).ids) == 0
    assert explain(graph, similarities, ids, 5, kind="geodesic").ids.tolist() == [6, 5]


@pytest.mark.parametrize(
    ("ids", "similarities", "options", "message"),
    [
        ([[0.5]], [[1.0]], {}, "ids: expected ids"),
        ([[]], [[]], {}, "ids: expected ids"),
        ([[0]], [[1.0, 0.5]], {}, "similarities: expected the shape of ids"),
        ([[8]], [[1.0]], {}, "ids: expected nodes from 0 to 7"),
        ([[0, 0]], [[1.0, 1.0]], {}, "each id once"),
        ([[0]], [[np.nan]], {}, "similarities: expected finite"),
        ([[0]], [[1.0]], {"k_query": 0}, "k_query: expected"),
        ([[0]], [[1.0]], {"k": 0}, "k: expected"),
        ([[0]], [[1.0]], {"alpha": 1}, "alpha: expected"),
    ],
)
def test_refuses(
    islands_answer: tuple[KNNGraph, Any, Any],
    ids: Any,
    similarities: Any,
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        diffusion_rerank(islands_answer[0], similarities, ids, **options)


def test_explain_refuses_several_queries(islands_answer: tuple[KNNGraph, Any, Any]) -> None:
    with pytest.raises(ValueError, match="ids: expected the answer of one query"):
        explain(islands_answer[0], [[1.0], [1.0]], [[0], [1]], 2)


def test_the_order_of_earlier_versions_is_understood(arcs: tuple[KNNGraph, Any]) -> None:
    graph, x = arcs
    similarities, ids = first_answer(x, x[[3, 40]], 20)
    new, old = (
        diffusion_rerank(graph, *pair) for pair in ((similarities, ids), (ids, similarities))
    )
    assert np.array_equal(new.ids, old.ids) and np.array_equal(new.scores, old.scores)
