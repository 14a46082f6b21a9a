"""Diffusion made beforehand: equal to the online one untruncated, and how rows are renewed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, FileFormatError, KNNGraph, OfflineDiffusion
from kinfold.base.neighbours import exact_neighbours
from kinfold.graph.truncated import subgraph


@pytest.fixture(scope="module")
def x() -> Any:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(160, 5)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def graph(x: Any) -> KNNGraph:
    return KNNGraph.build(x, 10)


@pytest.fixture(scope="module")
def near(x: Any) -> Any:
    return exact_neighbours(x[:7] + 0.1, x, 6, metric="ip")


EXACT = {"iterations": 400, "tolerance": 1e-9}


def test_untruncated_it_is_diffusion(graph: KNNGraph, near: Any) -> None:
    offline = OfflineDiffusion.build(graph, keep=len(graph), **EXACT)
    online = Diffusion(graph, **EXACT)
    assert np.allclose(offline.scores(near), online.scores(near), rtol=1e-4, atol=1e-7)
    found, expected = offline.rank(near, k=20), online.rank(near, k=20)
    assert np.allclose(found.distances, expected.distances, rtol=1e-4)
    assert np.mean(found.ids == expected.ids) > 0.95


def test_untruncated_rows_are_symmetric(graph: KNNGraph) -> None:
    offline = OfflineDiffusion.build(graph, keep=len(graph), **EXACT)
    rows = offline.scores(np.ones((len(graph), 1)), np.arange(len(graph))[:, None])
    assert np.allclose(rows, rows.T, rtol=1e-3, atol=1e-7)


def test_a_row_is_diffusion_within_its_neighbourhood(x: Any, graph: KNNGraph, oracle: Any) -> None:
    lists = exact_neighbours(x, x, 40, metric="ip").ids
    offline = OfflineDiffusion.build(graph, lists, keep=40, **EXACT)
    for node in (0, 77, 159):
        nodes = np.union1d(lists[node], [node])
        y = (nodes == node).astype(float)[None]
        exact = np.zeros(len(graph))
        exact[nodes] = oracle.diffuse(subgraph(graph, nodes), y, 0.99)[0]
        scores = offline.scores([1.0], [node])
        kept = np.argsort(-exact)[:40]
        assert np.allclose(scores[kept], exact[kept], atol=1e-6)


def test_more_kept_is_nearer(graph: KNNGraph, near: Any) -> None:
    exact = Diffusion(graph).scores(near)
    errors = [
        np.linalg.norm(OfflineDiffusion.build(graph, keep=keep).scores(near) - exact)
        for keep in (5, 20, 80, 160)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3 * np.linalg.norm(exact)


def test_rows_follow_a_graph_that_grows(x: Any, near: Any) -> None:
    before, after = KNNGraph.build(x[:140], 10), KNNGraph.build(x, 10)
    lists = exact_neighbours(x, x, 30, metric="ip").ids
    grown = OfflineDiffusion.build(before, exact_neighbours(x[:140], x[:140], 30, metric="ip").ids)
    touched = np.union1d(np.arange(140, 160), lists[140:])
    grown = grown.updated(after, touched, lists[touched])
    fresh = OfflineDiffusion.build(after, lists)
    assert len(grown) == 160
    for node in touched:
        assert np.array_equal(grown.scores([1.0], [node]), fresh.scores([1.0], [node]))
    all_of_them = grown.updated(after, np.arange(160), lists)
    for name, array in fresh.arrays().items():
        assert np.array_equal(all_of_them.arrays()[name], array)


def test_answers_without_neighbours_and_past_the_end(graph: KNNGraph) -> None:
    offline = OfflineDiffusion.build(graph, keep=3)
    best, ids = offline.rank([[1.0], [1.0]], [[4], [-1]], k=5)
    assert (ids[0, :3] >= 0).all()
    assert (ids[0, 3:] == -1).all()
    assert (ids[1] == -1).all()
    assert np.isneginf(best[1]).all()


def test_refuses(graph: KNNGraph, path_graph: KNNGraph) -> None:
    offline = OfflineDiffusion.build(path_graph)
    with pytest.raises(ValueError, match="graph: expected a KNNGraph"):
        OfflineDiffusion.build(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"neighbourhoods: expected ids \(4, size\)"):
        OfflineDiffusion.build(path_graph, [[0]])
    with pytest.raises(ValueError, match="neighbourhoods: expected nodes from 0 to 3"):
        OfflineDiffusion.build(path_graph, [[4]] * 4)
    with pytest.raises(ValueError, match="nodes: expected nodes below 4"):
        offline.updated(path_graph, [4])
    with pytest.raises(ValueError, match="graph: expected gamma=1"):
        offline.updated(graph, [0])
    with pytest.raises(ValueError, match="graph: expected at least 160 nodes, got 2"):
        OfflineDiffusion.build(graph).updated(KNNGraph.from_rows([0, 1, 2], [1, 0], [1, 1]), [0])


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("starts", np.array([0, 9, 2, 3, 4])),
        ("ids", np.array([0, 1, 2, 4] * 4, np.int32)),
        ("values", np.zeros(2, np.float32)),
        ("alpha", 1.0),
        ("metric", "l2"),
    ],
)
def test_damaged_state_is_refused(path_graph: KNNGraph, part: str, value: Any) -> None:
    offline = OfflineDiffusion.build(path_graph)
    params, arrays = offline.params(), offline.arrays()
    (params if part in params else arrays)[part] = value
    with pytest.raises(FileFormatError):
        OfflineDiffusion.from_state(params, arrays)
