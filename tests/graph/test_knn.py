"""The graph against its definition, its state, its paths against networkx."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from kinfold import FileFormatError, KNNGraph, use_threads
from kinfold.base.state import Stateful


def unit(x: Any) -> Any:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)


@pytest.mark.parametrize("reciprocal", [True, False])
@pytest.mark.parametrize(("k", "gamma"), [(1, 3.0), (5, 1.0), (10, 3.0), (100, 0.5)])
def test_is_its_definition(
    rng: np.random.Generator, oracle: Any, reciprocal: bool, k: int, gamma: float
) -> None:
    x = rng.normal(size=(60, 6)).astype(np.float32)
    graph = KNNGraph.build(x, k, gamma=gamma, reciprocal=reciprocal)
    u = unit(x.astype(np.float64))
    expected = oracle.knn_graph(u @ u.T, k, gamma, reciprocal)
    assert np.allclose(oracle.weights(graph), expected, atol=1e-6)
    assert len(graph) == 60


def test_inner_products_are_not_normalised(rng: np.random.Generator, oracle: Any) -> None:
    x = rng.normal(size=(40, 5)).astype(np.float32)
    graph = KNNGraph.build(x, 6, gamma=2, metric="ip")
    exact = x.astype(np.float64)
    expected = oracle.knn_graph(exact @ exact.T, 6, 2, True)
    assert np.allclose(oracle.weights(graph), expected, rtol=1e-5)


def test_canonical_form(rng: np.random.Generator, oracle: Any) -> None:
    graph = KNNGraph.build(rng.normal(size=(200, 8)), 12)
    assert (graph.starts.dtype, graph.neighbours.dtype) == (np.int64, np.int32)
    assert graph.weights.dtype == graph.normalised().dtype == np.float32
    for i in range(len(graph)):
        row = graph.neighbours[graph.starts[i] : graph.starts[i + 1]]
        assert (np.diff(row) > 0).all()
        assert i not in row
    dense = oracle.weights(graph)
    assert (dense == dense.T).all()
    assert (graph.weights > 0).all()


def test_normalised_is_symmetric_with_spectrum_within_one(
    rng: np.random.Generator, oracle: Any
) -> None:
    graph = KNNGraph.build(rng.normal(size=(150, 8)), 10)
    plain = KNNGraph.from_rows(graph.starts, graph.neighbours, graph.normalised())
    dense = oracle.weights(plain)
    assert (dense == dense.T).all()
    assert np.allclose(dense, oracle.normalised(graph), atol=1e-7)
    values = np.linalg.eigvalsh(dense)
    assert values[0] >= -1 - 1e-6
    assert values[-1] == pytest.approx(1, abs=1e-6)


def test_path_graph_spectrum(path_graph: KNNGraph, oracle: Any) -> None:
    values = np.linalg.eigvalsh(oracle.normalised(path_graph))
    assert values == pytest.approx([-1, -2 / 3, 2 / 3, 1], abs=1e-12)


def test_self_is_taken_out_before_the_cut() -> None:
    """The item stands first, first, last, nowhere in its list: two neighbours remain each time."""
    lists = [[0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2], [1, 2, 0, -1]]
    graph = KNNGraph.from_neighbours([[0.9] * 4] * 4, lists, k=2, reciprocal=False)
    assert graph.starts.tolist() == [0, 2, 5, 8, 10]
    assert graph.neighbours.tolist() == [1, 2, 0, 2, 3, 0, 1, 3, 1, 2]
    reciprocal = KNNGraph.from_neighbours([[0.9] * 4] * 4, lists, k=2)
    assert reciprocal.neighbours.tolist() == [1, 2, 0, 2, 0, 1]


def test_duplicates_do_not_need_their_own_list() -> None:
    """A hundred equal vectors: no list of four holds its own item for most of them."""
    graph = KNNGraph.build(np.ones((100, 3)), 3)
    assert (np.diff(graph.starts) <= 3).all()
    assert graph.weights == pytest.approx(1.0)
    # 0, 1, 2, 3 are everyone's nearest, and each other's.
    assert graph.neighbours.tolist()[:3] == [1, 2, 3]


def test_fill_zero_vectors_and_negative_similarities_make_no_edges() -> None:
    x = np.array([[1, 0], [0.9, 0.1], [-1, 0], [0, 0]], np.float32)
    graph = KNNGraph.build(x, 10)
    assert graph.starts.tolist() == [0, 1, 2, 2, 2]
    filled = KNNGraph.from_neighbours([[0.5, np.nan]] * 3, [[1, -1], [0, -1], [-1, -1]])
    assert filled.starts.tolist() == [0, 1, 2, 2]
    assert filled.degrees().tolist() == [0.125, 0.125, 0]
    assert np.isfinite(filled.normalised()).all()


def test_lists_that_disagree_take_the_larger() -> None:
    graph = KNNGraph.from_neighbours([[0.5], [0.75]], [[1], [0]], gamma=1)
    assert graph.weights.tolist() == [0.75, 0.75]


def test_cosines_above_one_are_rounding() -> None:
    assert KNNGraph.from_neighbours([[1.0001]] * 2, [[1], [0]]).weights.tolist() == [1, 1]
    big = KNNGraph.from_neighbours([[2.0]] * 2, [[1], [0]], metric="ip")
    assert big.weights.tolist() == [8, 8]


def test_one_vector() -> None:
    graph = KNNGraph.build([[1.0, 2.0]])
    assert (len(graph), len(graph.neighbours)) == (1, 0)


def test_threads_do_not_matter(rng: np.random.Generator, threads: int) -> None:
    ids = (
        np.arange(9000)[:, None] + rng.permuted(np.tile(np.arange(40), (9000, 1)), axis=1)
    ) % 9000
    similarities = rng.random(ids.shape)
    many = KNNGraph.from_neighbours(similarities, ids, k=12, reciprocal=False)
    with use_threads(1):
        one = KNNGraph.from_neighbours(similarities, ids, k=12, reciprocal=False)
    for name, array in one.arrays().items():
        assert np.array_equal(array, many.arrays()[name])
    assert len(one.neighbours) > 9000 * 12


def test_state_round_trip(rng: np.random.Generator) -> None:
    graph = KNNGraph.build(rng.normal(size=(50, 4)), 5, gamma=2, metric="ip", reciprocal=False)
    assert isinstance(graph, Stateful)
    again = KNNGraph.from_state(graph.params(), graph.arrays())
    assert again.params() == graph.params() == {
        "gamma": 2.0, "k": 5, "metric": "ip", "reciprocal": False,
    }  # fmt: skip
    for name, array in graph.arrays().items():
        assert np.array_equal(array, again.arrays()[name])
        assert np.shares_memory(array, again.arrays()[name])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("neighbours", lambda a: np.where(np.arange(len(a)) == 3, 50, a).astype(np.int32)),
        ("neighbours", lambda a: np.where(np.arange(len(a)) == 3, -1, a).astype(np.int32)),
        ("neighbours", lambda a: a.astype(np.int64)),
        ("starts", lambda a: a + 1),
        ("starts", lambda a: a[::-1].copy()),
        ("starts", lambda a: a[:0]),
        ("starts", lambda a: np.concatenate([a[:1], a[-1:] + 9, a[2:]])),
        ("weights", lambda a: a[:-1]),
        ("weights", lambda a: np.full_like(a, np.nan)),
        ("weights", lambda a: -a),
    ],
)
def test_damaged_state_is_refused(rng: np.random.Generator, name: str, change: Any) -> None:
    graph = KNNGraph.build(rng.normal(size=(50, 4)), 5)
    arrays = graph.arrays()
    arrays[name] = change(arrays[name])
    with pytest.raises(FileFormatError, match=name):
        KNNGraph.from_state(graph.params(), arrays)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gamma", 0), ("gamma", "3"), ("k", 0), ("metric", "l2"), ("reciprocal", 1), ("more", 1)],
)
def test_damaged_parameters_are_refused(path_graph: KNNGraph, name: str, value: Any) -> None:
    with pytest.raises(FileFormatError, match=name):
        KNNGraph.from_state({**path_graph.params(), name: value}, path_graph.arrays())


@pytest.mark.parametrize(
    ("ids", "similarities", "options", "message"),
    [
        ([[1], [2]], [[1.0], [1.0]], {}, "ids: expected ids from 0 to 1 or -1, got 2 in row 1"),
        ([[1], [-2]], [[1.0], [1.0]], {}, "got -2 in row 1"),
        ([[1, 1], [0, 0]], np.ones((2, 2)), {}, "each id once in a list, got 1"),
        ([1, 0], [1.0, 1.0], {}, r"ids: expected ids \(n, k\)"),
        ([[1.5], [0]], [[1.0], [1.0]], {}, r"ids: expected ids \(n, k\)"),
        ([[1], [0]], [[1.0]], {}, "similarities: expected the shape of ids"),
        ([[1], [0]], [[np.nan], [1.0]], {}, "similarities: expected finite"),
        ([[1], [0]], [[np.inf], [1.0]], {}, "similarities: expected finite"),
        ([[1], [0]], [[1.0], [1.0]], {"n": 3}, "ids: expected 3 lists"),
        ([[1], [0]], [[1.0], [1.0]], {"k": 0}, "k: expected a whole number"),
        ([[1], [0]], [[1.0], [1.0]], {"gamma": 0}, "gamma: expected a number"),
        ([[1], [0]], [[1.0], [1.0]], {"metric": "l2"}, "metric: expected one of cosine, ip"),
        ([[1], [0]], np.full((2, 1), 1e30), {"metric": "ip"}, "within float32"),
    ],
)
def test_from_neighbours_refuses(
    ids: Any, similarities: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        KNNGraph.from_neighbours(similarities, ids, **options)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        ([1.0, 2.0], {}, "x: expected vectors"),
        ([[np.nan, 1.0]], {}, "x: expected finite"),
        (np.empty((0, 3)), {}, "x: expected at least one vector"),
        (np.ones((3, 2)), {"k": 0}, "k: expected"),
        (np.ones((3, 2)), {"metric": "l2"}, "metric: expected one of cosine, ip"),
        (np.ones((3, 2)), {"gamma": -1}, "gamma: expected"),
    ],
)
def test_build_refuses(x: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KNNGraph.build(x, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [2**32], [1.0]), "neighbours"),
        (([0, 1], [0.0], [1.0]), "neighbours: expected nodes"),
        (([0, 2], [0], [1.0]), "starts"),
        (([0, 1], [0], [1.0, 1.0]), "weights: expected one for each"),
        (([0, 1], [0], [np.inf]), "weights: expected finite"),
        (([], np.empty(0, int), []), "starts"),
    ],
)
def test_arrays_are_checked(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KNNGraph.from_rows(*arguments)


def steps(graph: KNNGraph, ids: Any) -> list[float]:
    """Similarities along a chain, each an edge of the graph."""
    edges = {}
    for i in range(len(graph)):
        for e in range(graph.starts[i], graph.starts[i + 1]):
            edges[i, int(graph.neighbours[e])] = float(graph.weights[e]) ** (1 / graph.gamma)
    return [edges[a, b] for a, b in pairwise(ids)]


@given(seed=st.integers(0, 1000))
def test_paths_are_networkx_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = KNNGraph.build(rng.normal(size=(30, 3)), 4)
    sources = rng.choice(30, 3, replace=False)
    near = rng.random(3).astype(np.float32)
    target = int(rng.integers(30))
    reference = nx.Graph()
    reference.add_nodes_from(range(30))
    for i in range(30):
        for e in range(graph.starts[i], graph.starts[i + 1]):
            s = min(float(graph.weights[e]) ** (1 / 3), 1.0)
            reference.add_edge(i, int(graph.neighbours[e]), s=s)
    for source, s in zip(sources, near):
        reference.add_edge("query", int(source), s=float(s))
    lengths = {
        "geodesic": lambda s: -math.log(s),
        "geodesic-linear": lambda s: 1 - s,
    }
    for kind, length in lengths.items():
        found = graph.path(sources, target, kind, source_similarities=near)
        assert list(found.similarities[1:]) == pytest.approx(steps(graph, found.ids), abs=1e-6)
        best = nx.single_source_dijkstra_path_length(
            reference, "query", weight=lambda a, b, d, length=length: max(length(d["s"]), 0)
        )
        if target not in best:
            assert len(found.ids) == len(found.similarities) == 0
            continue
        assert found.ids[-1] == target
        assert found.ids[0] in sources
        assert sum(map(length, map(float, found.similarities))) == pytest.approx(
            best[target], abs=1e-4
        )
    found = graph.path(sources, target, source_similarities=near)
    if not nx.has_path(reference, "query", target):
        assert len(found.ids) == 0
        return
    # The widest path runs along the maximum spanning tree; of the widest, the fewest steps.
    tree = nx.maximum_spanning_tree(reference, weight="s")
    chain = nx.shortest_path(tree, "query", target)
    widest = min(tree.edges[a, b]["s"] for a, b in pairwise(chain))
    assert min(found.similarities) == pytest.approx(widest, abs=1e-6)
    wide = nx.Graph((a, b) for a, b, s in reference.edges(data="s") if s >= widest - 1e-7)
    assert len(found.ids) == nx.shortest_path_length(wide, "query", target)


def test_path_from_plain_sources(path_graph: KNNGraph) -> None:
    ids, similarities = path_graph.path([0], 3)
    assert ids.tolist() == [0, 1, 2, 3]
    assert similarities.tolist() == [1, 0.5, 1]
    ids, similarities = path_graph.path([0, 2], 2, "geodesic")
    assert ids.tolist() == [2]
    assert len(similarities) == 0


def test_the_way_may_avoid_a_weak_first_step(path_graph: KNNGraph) -> None:
    """The query resembles node 1 itself a little, its neighbour 0 much."""
    found = path_graph.path([1, 0], 1, source_similarities=[0.2, 0.9])
    assert found.ids.tolist() == [0, 1]
    assert found.similarities == pytest.approx([0.9, 1.0])


def test_no_path_to_another_island(islands: KNNGraph) -> None:
    for kind in ("bottleneck", "geodesic", "geodesic-linear"):
        assert len(islands.path([0, 1], 45, kind).ids) == 0
        assert len(islands.path([0], 80, kind).similarities) == 0
    assert len(islands.path([], 3).ids) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0], 4), {}, "target: expected a node of the graph, got 4"),
        (([0], -1), {}, "target: expected a whole number"),
        (([4], 0), {}, "source_ids: expected nodes of the graph, got 4"),
        (([-1], 0), {}, "source_ids: expected ids from 0"),
        (([0], 0, "widest"), {}, "kind: expected one of bottleneck, geodesic"),
        (([0], 0), {"source_similarities": [1.0, 1.0]}, "source_similarities: expected 1"),
    ],
)
def test_path_refuses(
    path_graph: KNNGraph, arguments: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        path_graph.path(*arguments, **options)


def test_row_sums(rng: np.random.Generator, islands: KNNGraph, oracle: Any) -> None:
    """D^-1/2 W D^-1/2 keeps the roots of the degrees; degrees are row sums; isolated rows are zero."""
    for graph in (KNNGraph.build(rng.normal(size=(200, 8)), 12, reciprocal=False), islands):
        degrees = graph.degrees()
        assert np.allclose(oracle.weights(graph).sum(1), degrees, rtol=1e-6)
        plain = KNNGraph.from_rows(graph.starts, graph.neighbours, graph.normalised())
        root = np.sqrt(degrees)
        assert np.allclose(oracle.weights(plain) @ root, root, atol=1e-5)
    assert degrees[80] == 0


def test_parallel_edges_add_up() -> None:
    """A graph given in rows may hold an edge twice: it weighs both, and takes no part in a path twice."""
    graph = KNNGraph.from_rows(
        [0, 2, 5, 6], [1, 1, 0, 0, 2, 1], [0.2, 0.3, 0.2, 0.3, 0.5, 0.5], gamma=1
    )
    assert graph.degrees() == pytest.approx([0.5, 1.0, 0.5])
    assert graph.path([0], 2).ids.tolist() == [0, 1, 2]
    assert graph.path([0], 2).similarities == pytest.approx([0.3, 0.5])
