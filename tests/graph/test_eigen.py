"""Eigenpairs against scipy and dense algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import eigsh

from kinfold import KNNGraph
from kinfold.graph.eigen import largest_eigenpairs


@pytest.fixture(scope="module")
def graph() -> KNNGraph:
    return KNNGraph.build(np.random.default_rng(4).normal(size=(2500, 5)), 12)


def matrix(graph: KNNGraph) -> Any:
    return csr_matrix(
        (graph.normalised().astype(np.float64), graph.neighbours, graph.starts), (len(graph),) * 2
    )


def test_eigenvalues_are_scipys(graph: KNNGraph) -> None:
    vectors, values = largest_eigenpairs(graph, 60)
    exact = eigsh(matrix(graph), 60, which="LA", tol=1e-8)[0][::-1]
    assert np.abs(values - exact).max() < 1e-3
    assert np.abs(vectors.T @ vectors - np.eye(60)).max() < 1e-4
    residuals = np.linalg.norm(matrix(graph) @ vectors - vectors * values, axis=0)
    assert residuals.max() < 0.05
    assert np.median(residuals) < 5e-3


def test_the_same_every_time(graph: KNNGraph) -> None:
    first, again = largest_eigenpairs(graph, 8), largest_eigenpairs(graph, 8)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_small_graphs_are_solved_exactly(path_graph: KNNGraph, oracle: Any) -> None:
    vectors, values = largest_eigenpairs(path_graph, 4)
    assert values == pytest.approx([1, 2 / 3, -2 / 3, -1], abs=1e-6)
    assert np.allclose(
        vectors @ np.diag(values) @ vectors.T, oracle.normalised(path_graph), atol=1e-6
    )
    assert (vectors.max(axis=0) >= -vectors.min(axis=0) - 1e-6).all()
