"""Components against networkx, communities against planted partitions and networkx's modularity."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from kinfold import KNNGraph, use_threads
from kinfold.graph.communities import communities, connected_components, members, modularity


def to_networkx(graph: KNNGraph) -> Any:
    g = nx.Graph()
    g.add_nodes_from(range(len(graph)))
    rows = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    g.add_weighted_edges_from(zip(rows.tolist(), graph.neighbours.tolist(), graph.weights.tolist()))
    return g


def from_edges(n: int, edges: Any, gamma: float = 1.0) -> KNNGraph:
    """Edges (i, j, similarity), given once."""
    lists: list[dict[int, float]] = [{} for _ in range(n)]
    for i, j, s in edges:
        lists[i][j] = lists[j][i] = s
    width = max(max(map(len, lists)), 1)
    ids, values = np.full((n, width), -1), np.zeros((n, width))
    for i, row in enumerate(lists):
        ids[i, : len(row)], values[i, : len(row)] = list(row), list(row.values())
    return KNNGraph.from_neighbours(values, ids, gamma=gamma)


def planted(rng: np.random.Generator, groups: int, size: int, inside: float, outside: float) -> Any:
    labels = np.repeat(np.arange(groups), size)
    chance = np.where(labels[:, None] == labels, inside, outside)
    i, j = np.nonzero(np.triu(rng.random(chance.shape) < chance, 1))
    return from_edges(len(labels), zip(i.tolist(), j.tolist(), np.ones(len(i)))), labels


def as_sets(labels: Any) -> set[frozenset[int]]:
    return {frozenset(group.tolist()) for group in members(labels, least=1)}


@pytest.mark.parametrize("k", [1, 2, 4])
def test_components_are_those_of_networkx(rng: np.random.Generator, k: int) -> None:
    graph = KNNGraph.build(rng.normal(size=(300, 6)), k)
    expected = {frozenset(c) for c in nx.connected_components(to_networkx(graph))}
    labels = connected_components(graph)
    assert as_sets(labels) == expected
    assert len(expected) > 1
    # Numbered by first members.
    assert np.unique(labels, return_index=True)[1].tolist() == sorted(min(c) for c in expected)


def test_components_of_similar_enough_edges(islands: KNNGraph) -> None:
    labels = connected_components(islands)
    assert labels[80] not in labels[:80]
    assert not set(labels[:40]) & set(labels[40:80])
    g = to_networkx(islands)
    for least in (0.8, 0.95):
        strong = nx.Graph(g)
        strong.remove_edges_from(
            [(a, b) for a, b, w in g.edges.data("weight") if w < least**islands.gamma]
        )
        expected = {frozenset(c) for c in nx.connected_components(strong)}
        assert as_sets(connected_components(islands, least=least)) == expected


def test_modularity_is_that_of_networkx(rng: np.random.Generator) -> None:
    graph = KNNGraph.build(rng.normal(size=(120, 5)), 8)
    labels = rng.integers(7, size=120)
    groups = [set(np.flatnonzero(labels == g).tolist()) for g in range(7)]
    for resolution in (0.5, 1.0, 2.0):
        expected = nx.community.modularity(to_networkx(graph), groups, resolution=resolution)
        assert modularity(graph, labels, resolution=resolution) == pytest.approx(expected, abs=1e-9)
    assert modularity(from_edges(3, []), [0, 1, 2]) == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_partitions_are_found(rng: np.random.Generator, seed: int) -> None:
    graph, labels = planted(rng, 12, 40, 0.4, 0.01)
    assert as_sets(communities(graph, seed=seed)) == as_sets(labels)


def test_a_ring_of_cliques() -> None:
    """Thirty cliques of five, neighbours joined by one edge."""
    edges = [
        (5 * c + a, 5 * c + b, 1.0) for c in range(30) for a in range(5) for b in range(a + 1, 5)
    ]
    edges += [(5 * c + 4, (5 * c + 5) % 150, 1.0) for c in range(30)]
    graph = from_edges(150, edges)
    # Modularity itself prefers pairs of cliques here (Fortunato & Barthelemy 2007); resolution undoes it.
    assert as_sets(communities(graph, resolution=3)) == as_sets(np.arange(150) // 5)
    assert modularity(graph, communities(graph)) > modularity(graph, np.arange(150) // 5)


def test_as_good_as_networkx_and_connected(rng: np.random.Generator) -> None:
    x = rng.normal(size=(40, 8))[rng.integers(40, size=800)] + 0.7 * rng.normal(size=(800, 8))
    graph = KNNGraph.build(x, 10)
    labels = communities(graph)
    g = to_networkx(graph)
    best = max(
        nx.community.modularity(g, nx.community.louvain_communities(g, seed=s)) for s in range(3)
    )
    assert modularity(graph, labels) > best - 0.005
    for group in members(labels, least=1):
        assert nx.is_connected(g.subgraph(group.tolist()))
    # Groups never reach beyond a component.
    components = connected_components(graph)
    assert all(len(set(components[group])) == 1 for group in members(labels))


def test_the_seed_alone_decides(moons: KNNGraph, threads: int) -> None:
    labels = communities(moons, seed=5)
    with use_threads(1):
        assert (communities(moons, seed=5) == labels).all()
    assert modularity(moons, labels) > 0.8


def test_nodes_without_edges_are_alone() -> None:
    graph = from_edges(5, [(1, 3, 0.5)])
    assert communities(graph).tolist() == connected_components(graph).tolist() == [0, 1, 2, 1, 3]
    empty = KNNGraph.from_rows(np.zeros(1, int), np.zeros(0, int), np.zeros(0))
    assert communities(empty).shape == connected_components(empty).shape == (0,)
    alone = from_edges(4, [])
    assert communities(alone).tolist() == [0, 1, 2, 3]


def test_resolution_zero_leaves_components(islands: KNNGraph) -> None:
    assert as_sets(communities(islands, resolution=0)) == as_sets(connected_components(islands))


def test_members() -> None:
    assert [m.tolist() for m in members([0, 1, 0, 2, 1, 0])] == [[0, 2, 5], [1, 4]]
    assert [m.tolist() for m in members([3, 3, 1], least=1)] == [[0, 1], [2]]
    assert members(np.zeros(0, np.int64)) == []


def test_bad_arguments(moons: KNNGraph) -> None:
    with pytest.raises(ValueError, match="resolution: expected"):
        communities(moons, resolution=-1)
    with pytest.raises(ValueError, match="seed: expected"):
        communities(moons, seed=-1)
    with pytest.raises(ValueError, match="least: expected"):
        connected_components(moons, least=-1)
    with pytest.raises(ValueError, match=r"labels: expected whole numbers \(1000,\)"):
        modularity(moons, np.zeros(3, int))
    with pytest.raises(ValueError, match="labels: expected numbers from 0"):
        modularity(moons, np.full(1000, 1000))
    with pytest.raises(ValueError, match="labels: expected whole numbers"):
        members([0.5])
