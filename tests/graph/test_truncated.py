"""Diffusion within a neighbourhood: the whole graph when that is the neighbourhood, close when it is large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph, TruncatedDiffusion
from kinfold.base.neighbours import exact_neighbours
from kinfold.graph.truncated import subgraph


def unit(rng: np.random.Generator, n: int, d: int) -> Any:
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_subgraph_is_the_dense_submatrix(rng: np.random.Generator, oracle: Any) -> None:
    graph = KNNGraph.build(rng.normal(size=(80, 4)), 8)
    for size in (1, 2, 30, 80):
        nodes = np.sort(rng.choice(80, size, replace=False))
        part = subgraph(graph, nodes)
        assert np.array_equal(oracle.weights(part), oracle.weights(graph)[np.ix_(nodes, nodes)])


def test_a_whole_neighbourhood_is_diffusion(rng: np.random.Generator) -> None:
    x, queries = unit(rng, 150, 6), unit(rng, 4, 6)
    graph = KNNGraph.build(x, 10)
    near = exact_neighbours(queries, x, 150, metric="ip")
    found = TruncatedDiffusion(graph, k_query=5).rank(near, k=20)
    whole = Diffusion(graph).rank(near.distances[:, :5], near.ids[:, :5], k=20)
    assert np.array_equal(found.ids, whole.ids)
    assert np.allclose(found.distances, whole.distances, rtol=1e-5)


def test_degrees_are_those_of_the_neighbourhood(rng: np.random.Generator, oracle: Any) -> None:
    x, queries = unit(rng, 200, 6), unit(rng, 3, 6)
    graph = KNNGraph.build(x, 10)
    near = exact_neighbours(queries, x, 50, metric="ip")
    found = TruncatedDiffusion(graph, k_query=4, iterations=300, tolerance=1e-9).rank(near, k=60)
    for row in range(3):
        nodes = np.sort(near.ids[row])
        y = np.zeros(50)
        y[np.searchsorted(nodes, near.ids[row, :4])] = graph.weigh(near.distances[row, :4])
        exact = oracle.diffuse(subgraph(graph, nodes), y[None], 0.99)[0]
        order = np.lexsort((nodes, -exact.astype(np.float32)))
        assert np.allclose(found.distances[row, :50], exact[order], atol=1e-6)
        assert sorted(found.ids[row, :50]) == nodes.tolist()
        assert (found.ids[row, 50:] == -1).all()
        assert np.isneginf(found.distances[row, 50:]).all()


def test_several_points_one_query_and_short_lists(rng: np.random.Generator) -> None:
    x = unit(rng, 100, 5)
    graph = KNNGraph.build(x, 8)
    near = exact_neighbours(unit(rng, 2, 5), x, 40, metric="ip")
    ranking = TruncatedDiffusion(graph, k_query=3)
    both = ranking.rank(near.distances[None], near.ids[None], k=90)
    union = np.union1d(*near.ids)
    assert sorted(both.ids[0, : len(union)]) == union.tolist()
    alone = ranking.rank(near.distances[0], near.ids[0], k=5)
    assert alone.ids.shape == (5,)
    cut = near.ids[:1].copy()
    cut[0, 2:] = -1
    assert set(ranking.rank(near.distances[:1], cut, k=4).ids[0]) == {*near.ids[0, :2], -1}
    assert (ranking.rank([[1.0, 1.0]], [[-1, -1]], k=2).ids == -1).all()


def test_refuses(path_graph: KNNGraph) -> None:
    with pytest.raises(ValueError, match="graph: expected a KNNGraph"):
        TruncatedDiffusion("graph")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha: expected"):
        TruncatedDiffusion(path_graph, alpha=1)
    ranking = TruncatedDiffusion(path_graph, k_query=1)
    with pytest.raises(ValueError, match="ids: expected nodes from 0 to 3 or -1, got 4"):
        ranking.rank([[1.0, 1.0]], [[0, 4]])
    with pytest.raises(ValueError, match="similarities: expected finite"):
        ranking.rank([[np.nan]], [[0]])
