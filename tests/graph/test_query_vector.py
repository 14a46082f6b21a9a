"""The query vector: the power is applied once, points are summed by either rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import KNNGraph
from kinfold.graph.query_vector import query_vectors


@pytest.fixture
def graph() -> KNNGraph:
    return KNNGraph.from_neighbours([[0.5]] * 5, [[1], [0], [3], [2], [1]], gamma=3)


def told(vectors: Any, query: int = 0) -> dict[int, float]:
    part = slice(vectors.starts[query], vectors.starts[query + 1])
    return dict(zip(vectors.ids[part].tolist(), vectors.weights[part].tolist()))


def test_the_power_is_applied_once(graph: KNNGraph) -> None:
    vectors = query_vectors(graph, [[0.5, 0.2, 9], [1.2, 0, 0]], [[2, 0, -1], [1, -1, -1]])
    assert vectors.starts.tolist() == [0, 2, 3]
    assert told(vectors) == {0: pytest.approx(0.008), 2: 0.125}
    assert told(vectors, 1) == {1: 1.0}


def test_points_are_summed_by_the_formula(graph: KNNGraph) -> None:
    vectors = query_vectors(graph, [[[0.5, 0.4], [0.3, -0.2]]], [[[0, 1], [1, 2]]])
    expected = {0: 0.125, 1: 0.4**3 + 0.3**3, 2: 0.0}
    assert told(vectors) == pytest.approx(expected, abs=1e-7)


def test_the_reference_sums_first_then_cuts(graph: KNNGraph) -> None:
    ids, similarities = [[[0, 1], [1, 2]]], [[[0.5, 0.4], [0.3, 0.2]]]
    vectors = query_vectors(graph, similarities, ids, rule="reference")
    assert told(vectors) == pytest.approx({0: 0.125, 1: 0.7**3}, abs=1e-7)


def test_one_point_is_the_same_by_both_rules(graph: KNNGraph, rng: np.random.Generator) -> None:
    ids = np.argsort(rng.random((4, 5)), axis=1)[:, :3]
    similarities = rng.uniform(-0.5, 1, ids.shape)
    for a, b in zip(
        query_vectors(graph, similarities, ids),
        query_vectors(graph, similarities, ids, rule="reference"),
    ):
        assert np.allclose(a, b, atol=1e-7)


def test_an_empty_query(graph: KNNGraph) -> None:
    vectors = query_vectors(graph, np.ones((2, 2)), [[-1, -1], [3, -1]])
    assert vectors.starts.tolist() == [0, 0, 1]


def test_refuses(graph: KNNGraph) -> None:
    with pytest.raises(ValueError, match="rule: expected one of formula, reference"):
        query_vectors(graph, [[1.0]], [[0]], rule="mean")
    with pytest.raises(ValueError, match=r"ids: expected ids \(q, k\) or \(q, points, k\)"):
        query_vectors(graph, [1.0], [0])
    with pytest.raises(ValueError, match="each id once in a list, got 1"):
        query_vectors(graph, np.ones((1, 2, 2)), [[[0, 1], [1, 1]]])
