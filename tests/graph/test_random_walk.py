"""The walk: step by step, and to the same limit as conjugate gradients and dense algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph
from kinfold.graph.random_walk import RandomWalk


def test_steps_are_the_recurrence(path_graph: KNNGraph, oracle: Any) -> None:
    w, y, f = oracle.normalised(path_graph), np.eye(1, 4)[0], np.zeros(4)
    for steps in range(1, 8):
        f = 0.99 * w @ f + 0.01 * y
        found = RandomWalk(path_graph, iterations=steps, tolerance=0).scores([1.0], [0])
        assert found == pytest.approx(f, abs=1e-7)


def test_errors_on_two_moons(moons: KNNGraph, oracle: Any) -> None:
    exact = oracle.diffuse(moons, np.eye(1, len(moons)), 0.99)[0]
    for steps, expected, within in ((30, 0.66, 0.03), (300, 0.033, 0.005), (1000, 2.7e-5, 1e-5)):
        found = RandomWalk(moons, iterations=steps, tolerance=0).scores([1.0], [0])
        error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        assert error == pytest.approx(expected, abs=within)


def test_the_limit_is_the_solution(rng: np.random.Generator, oracle: Any) -> None:
    graph = KNNGraph.build(rng.normal(size=(150, 5)), 10)
    ids = np.argsort(rng.random((6, 150)), axis=1)[:, :4]
    similarities = rng.random(ids.shape)
    walk = RandomWalk(graph, iterations=5000, tolerance=0).scores(similarities, ids)
    solved = Diffusion(graph, iterations=500, tolerance=1e-9).scores(similarities, ids)
    y = np.zeros((6, 150))
    np.put_along_axis(y, ids, similarities**3, axis=1)
    exact = oracle.diffuse(graph, y, 0.99)
    assert np.abs(walk - exact).max() < 1e-6
    assert np.abs(solved - exact).max() < 1e-6
    assert np.abs(walk - solved).max() < 1e-6


def test_each_query_stops_by_itself(islands: KNNGraph) -> None:
    lists, similarities = [[80, -1], [0, -1], [-1, -1]], np.ones((3, 2))
    found = RandomWalk(islands, iterations=3000, tolerance=1e-5).solve(similarities, lists)
    assert found.iterations[0] == 2
    assert found.iterations[2] == 1
    assert 2 < found.iterations[1] < 3000
    assert (found.residuals <= 1e-5).all()
    assert np.isnan(found.history[0]).all()
    alone = RandomWalk(islands, iterations=3000, tolerance=1e-5).solve(similarities[:1], lists[1:2])
    assert np.array_equal(alone.scores[0], found.scores[1])
    assert (found.scores[1, 40:] == 0).all()


def test_continues_from_a_start(path_graph: KNNGraph) -> None:
    first = RandomWalk(path_graph, iterations=5, tolerance=0).solve([[1.0]], [[0]])
    second = RandomWalk(path_graph, iterations=7, tolerance=0).solve(
        [[1.0]], [[0]], start=first.scores
    )
    twelve = RandomWalk(path_graph, iterations=12, tolerance=0).scores([[1.0]], [[0]])
    assert np.array_equal(second.scores, twelve)


def test_ranks_like_diffusion(moons: KNNGraph) -> None:
    walk = RandomWalk(moons, iterations=2000, tolerance=0).rank([1.0], [0], k=50)
    solved = Diffusion(moons, iterations=100).rank([1.0], [0], k=50)
    assert len(np.intersect1d(walk.ids, solved.ids)) >= 49
