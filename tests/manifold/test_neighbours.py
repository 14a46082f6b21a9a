"""Graphs of distances and the lengths of paths along them, against scipy."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import KinfoldError
from kinfold.datasets.manifolds import swiss_roll
from kinfold.manifold.neighbours import (
    components,
    connected,
    distance_graph,
    geodesics,
    geodesics_through,
    nearest_of,
    nearest_others,
)


def graph_of(x: np.ndarray, k: int):
    return distance_graph(nearest_others(x, k))


def scipy_of(graph):
    sparse = pytest.importorskip("scipy.sparse")
    n = len(graph.starts) - 1
    return sparse.csr_matrix((graph.lengths.astype(np.float64), graph.neighbours, graph.starts), (n, n))  # fmt: skip


@pytest.mark.parametrize(("n", "k"), [(2, 1), (17, 3), (300, 5), (1000, 12)])
def test_geodesics_are_those_of_scipy(n, k) -> None:
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    graph = graph_of(swiss_roll(n, seed=n).points, k)
    ours = geodesics(graph, np.arange(n))
    theirs = csgraph.dijkstra(scipy_of(graph))
    np.testing.assert_allclose(ours, theirs, rtol=3e-6)
    np.testing.assert_allclose(ours, ours.T, rtol=1e-6)
    assert (np.diag(ours) == 0).all()
    # Any sources in any order, and more than once.
    some = [n - 1, 0, n - 1]
    np.testing.assert_array_equal(geodesics(graph, some), ours[some])


def by_loop(graph, source: int) -> np.ndarray:
    """Dijkstra's algorithm as it is told, in float32."""
    n = len(graph.starts) - 1
    known = np.full(n, np.inf, np.float32)
    known[source] = 0
    left = set(range(n))
    while left:
        node = min(left, key=lambda i: known[i])
        left.remove(node)
        for e in range(graph.starts[node], graph.starts[node + 1]):
            through = known[node] + graph.lengths[e]
            known[graph.neighbours[e]] = min(known[graph.neighbours[e]], through)
    return known


def test_geodesics_are_dijkstras_to_the_bit(rng, threads) -> None:
    x = np.concatenate(
        [swiss_roll(120, seed=1).points, rng.random((40, 3)).astype(np.float32) + 99]
    )
    x = np.concatenate([x, x[:30]])  # duplicates, and a part that is not reached
    graph = graph_of(x, 4)
    assert (graph.lengths == 0).any()
    ours = geodesics(graph, np.arange(len(x)))
    for source in (0, 7, 130, len(x) - 1):
        np.testing.assert_array_equal(ours[source], by_loop(graph, source))
    assert np.isinf(ours[0, 130])


def test_graphs_list_either_neighbour_once(rng) -> None:
    x = rng.standard_normal((80, 3)).astype(np.float32)
    graph, near = graph_of(x, 5), nearest_others(x, 5)
    dense = scipy_of(graph).toarray()
    np.testing.assert_array_equal(dense, dense.T)
    named = np.zeros((80, 80), bool)
    np.put_along_axis(named, near.ids, True, axis=1)
    np.testing.assert_array_equal(dense > 0, named | named.T)
    gaps = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.testing.assert_allclose(dense[dense > 0], gaps[dense > 0], rtol=1e-5)


def test_the_point_itself_is_never_its_neighbour() -> None:
    near = nearest_others(np.zeros((6, 2), np.float32), 3)
    assert (near.ids != np.arange(6)[:, None]).all() and (near.lengths == 0).all()
    assert nearest_others(np.eye(3, dtype=np.float32), 99).ids.shape == (3, 2)


def test_paths_from_outside_begin_at_neighbours(rng) -> None:
    x = swiss_roll(400, seed=2).points
    graph = connected(x, graph_of(x, 6))
    queries = (x[:25] + 0.1 * rng.standard_normal((25, 3))).astype(np.float32)
    near = nearest_of(queries, x, 6)
    every = geodesics(graph, np.arange(400))
    expected = (every[near.ids] + near.lengths[:, :, None]).min(axis=1)
    np.testing.assert_allclose(geodesics_through(graph, near), expected, rtol=1e-5)


def test_parts_are_found_and_joined_by_shortest_edges(rng) -> None:
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    x = rng.standard_normal((90, 2)).astype(np.float32) + np.repeat([[0, 0], [30, 0], [0, 50]], 30, axis=0)  # fmt: skip
    x = x.astype(np.float32)
    graph = graph_of(x, 6)
    count, labels = csgraph.connected_components(scipy_of(graph))
    found = components(graph)
    assert len(np.unique(found)) == count >= 3
    assert all(len(np.unique(found[labels == name])) == 1 for name in range(count))
    with pytest.warns(UserWarning, match=f"falls into {count} parts"):
        whole = connected(x, graph)
    assert len(whole.neighbours) == len(graph.neighbours) + count * (count - 1)
    assert np.isfinite(geodesics(whole, [0])).all()
    assert connected(x, whole) is whole


@pytest.mark.parametrize(
    ("position", "bad"),
    [
        (0, np.array([0, 9, 2])), (0, np.array([1, 1, 2])), (1, np.array([1, 2], np.int32)),
        (1, np.array([-1, 0], np.int32)), (2, np.array([-1, 1], np.float32)), (2, np.array([np.nan, 1], np.float32)),
        (2, np.ones(3, np.float32)), (3, np.array([0, 2])), (4, np.array([2], np.int32)),
        (5, np.array([np.nan], np.float32)), (5, np.zeros(2, np.float32)), (2, np.ones(2)),
    ],
)  # fmt: skip
def test_the_engine_refuses_what_is_no_graph(position, bad) -> None:
    arguments = [
        np.array([0, 1, 2]), np.array([1, 0], np.int32), np.ones(2, np.float32),
        np.array([0, 1]), np.array([0], np.int32), np.zeros(1, np.float32),
    ]  # fmt: skip
    engine = kf._core.manifold.geodesics
    np.testing.assert_array_equal(engine(*arguments), [[0, 1]])
    arguments[position] = bad
    with pytest.raises((ValueError, KinfoldError)):
        engine(*arguments)
