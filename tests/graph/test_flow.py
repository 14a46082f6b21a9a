"""What all flows share, told by diffusion: batches, ranking, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph
from kinfold.base.neighbours import exact_neighbours
from kinfold.graph.random_walk import RandomWalk


def one(node: int = 0) -> tuple[Any, Any]:
    return np.array([[1.0]]), np.array([[node]])


@pytest.mark.parametrize("flow", [Diffusion, RandomWalk])
def test_takes_what_a_search_returns(flow: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(80, 5)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    graph = KNNGraph.build(x, 6)
    found = exact_neighbours(rng.normal(size=(3, 5)) / 4, x, 4, metric="ip")
    told = flow(graph).rank(found, k=7)
    apart = flow(graph).rank(found.distances, found.ids, k=7)
    assert np.array_equal(told.ids, apart.ids)
    assert np.array_equal(flow(graph).scores(found), flow(graph).solve(found).scores)
    with pytest.raises(ValueError, match="ids: expected one for each similarity, got none"):
        flow(graph).rank(found.ids)


def test_rank_agrees_with_scores_and_breaks_ties_by_id(islands: KNNGraph) -> None:
    diffusion = Diffusion(islands)
    scores = diffusion.scores([[1, 0.5]], [[0, 1]])[0]
    for k in (1, 5, 60, 81, 100):
        best, ids = diffusion.rank([[1, 0.5]], [[0, 1]], k=k)
        order = sorted(range(81), key=lambda i: (-scores[i], i))[:k]
        assert ids[0, : len(order)].tolist() == order
        assert best[0, : len(order)].tolist() == scores[order].tolist()
        assert (ids[0, 81:] == -1).all()
        assert (best[0, 81:] == -np.inf).all()


def test_many_queries_are_ranked_in_blocks(rng: np.random.Generator) -> None:
    graph = KNNGraph.build(rng.normal(size=(200, 6)), 10)
    ids = np.argsort(rng.random((70, 200)), axis=1)[:, :5]
    similarities = rng.random(ids.shape)
    diffusion = Diffusion(graph)
    best, nodes = diffusion.rank(similarities, ids, k=9)
    scores = diffusion.scores(similarities, ids)
    assert nodes.shape == (70, 9)
    assert np.array_equal(best, -np.sort(-scores, axis=1)[:, :9])
    assert np.array_equal(np.take_along_axis(scores, nodes, axis=1), best)


def test_one_query_answers_one_row(path_graph: KNNGraph) -> None:
    diffusion = Diffusion(path_graph)
    assert diffusion.scores([1.0], [0]).shape == (4,)
    scores, ids = diffusion.rank([1.0], [0], k=2)
    assert scores.shape == ids.shape == (2,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.0}, r"alpha: expected a number in \[0, 1\), got 1"),
        ({"alpha": -0.1}, "alpha: expected"),
        ({"alpha": float("nan")}, "alpha: expected"),
        ({"iterations": 0}, "iterations: expected"),
        ({"tolerance": -1}, "tolerance: expected"),
        ({"query_vector": "sum"}, "query_vector: expected one of formula, reference"),
    ],
)
def test_refuses_options(path_graph: KNNGraph, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Diffusion(path_graph, **options)


def test_refuses_what_is_no_graph() -> None:
    with pytest.raises(ValueError, match="graph: expected a KNNGraph, got list"):
        Diffusion([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "similarities", "message"),
    [
        ([[0]], [[1.0, 1.0]], "similarities: expected the shape of ids"),
        ([0], 1.0, "similarities: expected the shape of ids"),
        ([[4]], [[1.0]], "ids: expected nodes from 0 to 3 or -1, got 4"),
        ([[-2]], [[1.0]], "got -2"),
        ([[2**40]], [[1.0]], "ids: expected nodes from 0 to 3"),
        ([[0.5]], [[1.0]], "ids: expected ids"),
        ([[0, 0]], [[1.0, 1.0]], "each id once"),
        ([[0]], [[np.nan]], "similarities: expected finite"),
        ([[]], [[]], "ids: expected ids"),
    ],
)
def test_refuses_queries(path_graph: KNNGraph, ids: Any, similarities: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Diffusion(path_graph).scores(similarities, ids)
    with pytest.raises(ValueError, match=message):
        Diffusion(path_graph).rank(similarities, ids)


@pytest.mark.parametrize(("start", "rows"), [(np.zeros((2, 4)), 1), (np.zeros((1, 3)), 1)])
def test_refuses_a_start_of_another_shape(path_graph: KNNGraph, start: Any, rows: int) -> None:
    with pytest.raises(ValueError, match="start: expected"):
        Diffusion(path_graph).solve(*one(), start=start)


def test_bad_k(path_graph: KNNGraph) -> None:
    with pytest.raises(ValueError, match="k: expected"):
        Diffusion(path_graph).rank(*one(), k=0)
