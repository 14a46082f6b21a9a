"""The compiled functions by themselves: whatever arrays come, an error and never a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from kinfold import _core

I64, I32, F32 = np.int64, np.int32, np.float32


def valid() -> dict[str, Any]:
    """Two nodes and an edge, one right-hand side."""
    return {
        "starts": np.array([0, 1, 2], I64),
        "neighbours": np.array([1, 0], I32),
        "weights": np.array([1, 1], F32),
        "side_starts": np.array([0, 1], I64),
        "side_ids": np.array([0], I32),
        "side_values": np.array([1], F32),
        "alpha": 0.5,
        "iterations": 5,
        "tolerance": 0.0,
    }


GRAPH = ("starts", "neighbours", "weights")


def conjugate_gradient(**arguments: Any) -> Any:
    graph = _core.graph.FlowGraph(*(arguments.pop(name) for name in GRAPH))
    return graph.conjugate_gradient(**arguments)


def random_walk(**arguments: Any) -> Any:
    graph = _core.graph.FlowGraph(*(arguments.pop(name) for name in GRAPH))
    return graph.random_walk(**arguments)


CHANGES = [
    ("starts", np.array([0, 1, 3], I64)),
    ("starts", np.array([1, 1, 2], I64)),
    ("starts", np.array([0, 5, 2], I64)),
    ("starts", np.array([0, -5, 2], I64)),
    ("starts", np.array([0, np.iinfo(I64).min, 2], I64)),
    ("starts", np.array([], I64)),
    ("starts", np.array([0, 1, 2], I32)),
    ("starts", np.array([[0, 1, 2]], I64)),
    ("starts", [0, 1, 2]),
    ("neighbours", np.array([1, 2], I32)),
    ("neighbours", np.array([1, -1], I32)),
    ("neighbours", np.array([1, np.iinfo(I32).min], I32)),
    ("neighbours", np.array([1], I32)),
    ("neighbours", np.array([1, 0], I64)),
    ("neighbours", np.array([1, 9, 0, 9], I32)[::2]),
    ("weights", np.array([1], F32)),
    ("weights", np.array([1, 1], np.float64)),
    ("side_starts", np.array([0, 2], I64)),
    ("side_starts", np.array([0, 3, 1], I64)),
    ("side_starts", np.array([], I64)),
    ("side_ids", np.array([2], I32)),
    ("side_ids", np.array([-1], I32)),
    ("side_ids", np.array([0, 0], I32)),
    ("side_values", np.array([1, 1], F32)),
    ("alpha", 1.0),
    ("alpha", -0.1),
    ("alpha", float("nan")),
    ("iterations", 10**9),
    ("tolerance", -1.0),
    ("tolerance", float("nan")),
    ("start", np.zeros((2, 2), F32)),
    ("start", np.zeros((1, 3), F32)),
    ("start", np.zeros((1, 2))),
]


@pytest.mark.parametrize("solve", [conjugate_gradient, random_walk])
@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_flows_refuse(solve: Any, name: str, value: Any) -> None:
    assert np.isfinite(solve(**valid())[0]).all()
    with pytest.raises(ValueError, match=r"\w+: expected"):
        solve(**{**valid(), name: value})


@pytest.mark.parametrize("x", [np.zeros((1, 3), F32), np.zeros(2, F32), np.zeros((1, 2))])
def test_multiply_refuses(x: Any) -> None:
    graph = _core.graph.FlowGraph(*(valid()[name] for name in GRAPH))
    assert graph.multiply(np.array([[2, 3]], F32)).tolist() == [[3, 2]]
    assert graph.multiply(np.empty((0, 2), F32)).shape == (0, 2)
    with pytest.raises(ValueError, match="x: expected"):
        graph.multiply(x)


@pytest.mark.parametrize("solve", [conjugate_gradient, random_walk])
def test_no_queries_and_no_nodes(solve: Any) -> None:
    none = {
        "side_starts": np.zeros(1, I64),
        "side_ids": np.empty(0, I32),
        "side_values": np.empty(0, F32),
    }
    assert solve(**{**valid(), **none})[0].shape == (0, 2)
    bare = {"starts": np.zeros(1, I64), "neighbours": np.empty(0, I32), "weights": np.empty(0, F32)}
    empty = {**none, "side_starts": np.zeros(4, I64)}
    assert solve(**{**valid(), **bare, **empty})[0].shape == (3, 0)


@pytest.mark.parametrize("solve", [conjugate_gradient, random_walk])
@given(seed=st.integers(0, 10_000))
def test_any_weights_end_in_an_answer(solve: Any, seed: int) -> None:
    """Weights are payload: NaN, infinity, negative or lopsided, the call returns."""
    rng = np.random.default_rng(seed)
    n, entries = 20, 60
    starts = np.sort(rng.integers(0, entries + 1, n + 1))
    starts[0], starts[-1] = 0, entries
    weights = rng.normal(size=entries).astype(F32)
    weights[rng.integers(entries, size=4)] = rng.choice([np.nan, np.inf, -np.inf, 1e38, 0], 4)
    graph = {
        "starts": starts,
        "neighbours": rng.integers(n, size=entries, dtype=I32),
        "weights": weights,
        "side_ids": rng.integers(n, size=1, dtype=I32),
    }
    scores, iterations, _, _ = solve(**{**valid(), **graph, "iterations": 50})
    assert scores.shape == (1, n)
    assert 0 <= iterations[0] <= 50


@pytest.mark.parametrize(
    ("ids", "weights"),
    [
        (np.zeros((2, 1), np.int16), np.ones((2, 1), F32)),
        (np.zeros((2, 1), I64), np.ones((2, 2), F32)),
        (np.zeros(2, I64), np.ones(2, F32)),
        (np.full((2, 1), 2, I64), np.ones((2, 1), F32)),
        (np.full((2, 1), -2, I64), np.ones((2, 1), F32)),
        (np.full((2, 1), np.iinfo(I64).max), np.ones((2, 1), F32)),
        (np.array([[1, 1], [0, 0]]), np.ones((2, 2), F32)),
    ],
)
def test_symmetrize_refuses(ids: Any, weights: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+: expected"):
        _core.graph.symmetrize(ids, weights, 5, True)


def test_symmetrize_of_nothing() -> None:
    starts, neighbours, weights = _core.graph.symmetrize(
        np.empty((0, 3), I64), np.empty((0, 3), F32), 3, True
    )
    assert (starts.tolist(), len(neighbours), len(weights)) == ([0], 0, 0)
    starts, *_ = _core.graph.symmetrize(np.empty((3, 0), I64), np.empty((3, 0), F32), 3, True)
    assert starts.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(change for change in CHANGES if change[0] in GRAPH),
        ("source_ids", np.array([2], I64)),
        ("source_ids", np.array([-1], I64)),
        ("source_ids", np.array([0, 1], I64)),
        ("source_weights", np.array([1.0])),
        ("target", 2),
        ("target", -1),
        ("kind", "shortest"),
        ("gamma", 0.0),
        ("gamma", float("nan")),
    ],
)
def test_path_refuses(name: str, value: Any) -> None:
    arguments = {key: valid()[key] for key in GRAPH}
    arguments.update(
        source_ids=np.array([0], I64), source_weights=np.array([1], F32),
        target=1, kind="bottleneck", gamma=3.0,
    )  # fmt: skip
    assert _core.graph.path(**arguments)[0].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"\w+: expected"):
        _core.graph.path(**{**arguments, name: value})


@given(
    seed=st.integers(0, 10_000), kind=st.sampled_from(["bottleneck", "negative_log", "one_minus"])
)
def test_paths_through_any_weights_end(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n, entries = 12, 40
    starts = np.sort(rng.integers(0, entries + 1, n + 1))
    starts[0], starts[-1] = 0, entries
    weights = rng.normal(size=entries).astype(F32)
    weights[rng.integers(entries, size=3)] = rng.choice([np.nan, np.inf, 1e-45], 3)
    ids, steps = _core.graph.path(
        starts, rng.integers(n, size=entries, dtype=I32), weights,
        np.array([0, 1], I64), np.array([np.nan, 0.5], F32), int(rng.integers(n)), kind, 3.0,
    )  # fmt: skip
    assert len(ids) == len(steps)
    assert len(np.unique(ids)) == len(ids) <= n
