"""Graphs whose answers are known, and the obvious dense versions of what runs on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_moons

from kinfold import KNNGraph

Dense = NDArray[np.float64]


class Oracle:
    """Slow and obvious: dense matrices in float64, loops."""

    @staticmethod
    def weights(graph: KNNGraph) -> Dense:
        dense = np.zeros((len(graph), len(graph)))
        for i in range(len(graph)):
            for e in range(graph.starts[i], graph.starts[i + 1]):
                dense[i, graph.neighbours[e]] = graph.weights[e]
        return dense

    @classmethod
    def normalised(cls, graph: KNNGraph) -> Dense:
        weights = cls.weights(graph)
        degrees = weights.sum(1)
        scale = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
        return scale[:, None] * weights * scale

    @classmethod
    def diffuse(cls, graph: KNNGraph, y: Any, alpha: float) -> Dense:
        """(1 - alpha) (I - alpha W)^-1 y for rows y."""
        system = np.eye(len(graph)) - alpha * cls.normalised(graph)
        solved: Dense = (1 - alpha) * np.linalg.solve(system, np.asarray(y, float).T).T
        return solved

    @staticmethod
    def neighbours(similarities: Any, k: int) -> list[list[int]]:
        """The k most similar others of each row, ties by the smaller number."""
        n = len(similarities)
        return [
            sorted((j for j in range(n) if j != i), key=lambda j: (-similarities[i][j], j))[:k]
            for i in range(n)
        ]

    @classmethod
    def knn_graph(cls, similarities: Any, k: int, gamma: float, reciprocal: bool) -> Dense:
        lists = [set(found) for found in cls.neighbours(similarities, k)]
        n = len(lists)
        dense = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                near, named = j in lists[i], i in lists[j]
                if (near and named) or (not reciprocal and (near or named)):
                    dense[i, j] = max(similarities[i][j], 0) ** gamma
        return dense


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    return Oracle


@pytest.fixture(scope="session")
def path_graph() -> KNNGraph:
    """Four nodes in a row, weights 1, 1/2, 1."""
    return KNNGraph.from_rows(
        [0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], [1, 1, 0.5, 0.5, 1, 1], gamma=1, k=2
    )  # fmt: skip


@pytest.fixture(scope="session")
def moons() -> KNNGraph:
    """Two moons of 500 points each, reciprocal neighbours among 20, all weights 1."""
    x, _ = make_moons(1000, noise=0.05, random_state=0)
    squared = ((x[:, None] - x) ** 2).sum(-1)
    np.fill_diagonal(squared, np.inf)
    nearest = np.argsort(squared, axis=1, kind="stable")[:, :20]
    return KNNGraph.from_neighbours(np.ones(nearest.shape), nearest)


@pytest.fixture(scope="session")
def islands() -> KNNGraph:
    """Nodes 0-39 and 40-79 without an edge between, node 80 alone."""
    rng = np.random.default_rng(80)
    x = np.zeros((81, 9), np.float32)
    x[:40, :4] = rng.random((40, 4))
    x[40:80, 4:8] = rng.random((40, 4))
    x[80, 8] = 1
    return KNNGraph.build(x, 8)
