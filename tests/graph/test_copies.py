"""Graphs of vectors among which some stand many times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import FileFormatError, FlatIndex, KNNGraph
from kinfold.base.copies import first_copies
from kinfold.base.neighbours import exact_neighbours
from kinfold.graph.communities import connected_components
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.offline import OfflineDiffusion
from kinfold.graph.random_walk import RandomWalk
from kinfold.graph.truncated import TruncatedDiffusion
from kinfold.index.base import unit_rows

DISTINCT = 80


def copied(rng: np.random.Generator, times: tuple[int, ...]) -> Any:
    """80 vectors; the first ones stand so many times, in a random order. And which each row is."""
    x = rng.normal(size=(DISTINCT, 8)).astype(np.float32)
    which = rng.permutation(
        np.repeat(np.arange(DISTINCT), [*times, *[1] * (DISTINCT - len(times))])
    )
    return x[which], which


@pytest.mark.parametrize("metric", ["cosine", "ip"])
@pytest.mark.parametrize("reciprocal", [True, False])
@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize("index", [None, "IVF4,Flat", "held"])
@pytest.mark.parametrize("times", [(2,), (10, 11, 12), (31, 200)])
def test_copies_hang_together_and_crowd_nothing_out(
    metric: str, reciprocal: bool, k: int, index: Any, times: tuple[int, ...],
    rng: np.random.Generator, oracle: Any,
) -> None:  # fmt: skip
    x, which = copied(rng, times)
    asked: dict[str, Any] = {}
    if index == "held":
        asked["index"] = FlatIndex(8, metric="ip")
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        asked["index"].add(unit if metric == "cosine" else x)
    elif index:
        asked = {"index": index, "nprobe": 4}
    graph = KNNGraph.build(x, k, metric=metric, reciprocal=reciprocal, gamma=1, **asked)
    assert len(graph) == len(x)
    dense = oracle.weights(graph)
    assert (dense == dense.T).all() and not dense.diagonal().any()
    rows = np.repeat(np.arange(len(x)), np.diff(graph.starts))
    # Edges between copies alone connect each vector's copies, and no row has many of them.
    same = which[rows] == which[graph.neighbours]
    counts = np.bincount(rows[same], minlength=len(x))
    assert counts.max() <= max(k, 2)
    starts = np.concatenate([[0], np.cumsum(counts)])
    inner = KNNGraph.from_rows(starts, graph.neighbours[same], graph.weights[same], gamma=1)
    labels = connected_components(inner)
    assert all(len(set(labels[which == one])) == 1 for one in range(DISTINCT))
    assert len(graph.neighbours) <= 4 * k * len(x)
    if index == "held":
        return
    # What is near is what is near without the copies.
    _, first = np.unique(which, return_index=True)
    plain = oracle.weights(
        KNNGraph.build(x[np.sort(first)], k, metric=metric, reciprocal=reciprocal, gamma=1, **asked)
    )
    joined = np.zeros((DISTINCT, DISTINCT))
    np.maximum.at(joined, (which[rows], which[graph.neighbours]), graph.weights)
    np.fill_diagonal(joined, 0)
    order = which[np.sort(first)]
    if index is None:
        assert np.array_equal(joined[np.ix_(order, order)], plain)
        if reciprocal:
            # And every copy has these neighbours.
            for row in range(len(x)):
                near = {which[other] for other in graph.neighbours[rows == row]} - {which[row]}
                assert near == set(np.flatnonzero(joined[which[row]]))


@pytest.mark.parametrize("reciprocal", [True, False])
@pytest.mark.parametrize("times", [(31,), (3, 500)])
def test_flows_go_over_items(
    reciprocal: bool, times: tuple[int, ...], rng: np.random.Generator
) -> None:
    """Every copy has the score that its item has where there are no copies."""
    x, which = copied(rng, times)
    graph = KNNGraph.build(x, 10, reciprocal=reciprocal)
    order = np.sort(np.unique(which, return_index=True)[1])
    plain = KNNGraph.build(x[order], 10, reciprocal=reciprocal)
    items, item = graph.items()
    assert np.array_equal(items.neighbours, plain.neighbours)
    assert np.array_equal(items.weights, plain.weights)
    copies = np.flatnonzero(which == 0)
    near = exact_neighbours(unit_rows(x[copies[:1]]), unit_rows(x), 12, metric="ip")
    expected_near = exact_neighbours(unit_rows(x[copies[:1]]), unit_rows(x[order]), 12, metric="ip")
    # Ten copies among the nearest are one source.
    sources = len(set(which[near.ids[0]]))
    for flow in (Diffusion, RandomWalk):
        found = flow(graph).solve(near.distances, near.ids)
        expected = flow(plain).scores(
            expected_near.distances[:, :sources], expected_near.ids[:, :sources]
        )
        assert np.array_equal(found.scores[0], expected[0][item])
        again = flow(graph).solve(near.distances, near.ids, start=found.scores)
        onwards = flow(plain).solve(
            expected_near.distances[:, :sources], expected_near.ids[:, :sources], start=expected
        )
        assert np.array_equal(again.scores, onwards.scores[:, item])
        assert set(flow(graph).rank(near.distances, near.ids, len(copies)).ids[0]) == set(copies)
    everything = np.argsort(-(unit_rows(x) @ unit_rows(x[copies[0]][None])[0]))[None]
    values = (unit_rows(x) @ unit_rows(x[copies[0]][None])[0])[everything]
    for part in (
        TruncatedDiffusion(graph).rank(values, everything, len(copies)),
        OfflineDiffusion.build(graph, keep=len(x)).rank(near.distances, near.ids, len(copies)),
        OfflineDiffusion.build(graph, np.tile(np.arange(len(x)), (len(x), 1)), keep=len(x)).rank(
            near.distances, near.ids, len(copies)
        ),
    ):
        assert set(part.ids[0]) == set(copies)
        assert len(set(part.distances[0])) == 1
    saved = KNNGraph.from_state(graph.params(), graph.arrays())
    assert np.array_equal(saved.copies, graph.copies)
    for bad in (np.arange(len(x)) + 1, np.zeros(len(x) - 1, np.int64), np.full(len(x), -1)):
        with pytest.raises(FileFormatError):
            KNNGraph.from_state(graph.params(), {**graph.arrays(), "copies": bad})


def test_of_all_copies_and_of_none(rng: np.random.Generator) -> None:
    graph = KNNGraph.build(np.ones((500, 3)), 7)
    assert len(set(connected_components(graph))) == 1
    assert np.diff(graph.starts).max() == 7 and graph.weights == pytest.approx(1, abs=1e-5)
    few = KNNGraph.build(np.ones((8, 3)), 7)
    assert np.diff(few.starts).tolist() == [7] * 8
    # Zero vectors are like nothing, not even each other.
    assert len(KNNGraph.build(np.zeros((9, 3)), 4).neighbours) == 0


def test_with_copies_is_what_build_makes(rng: np.random.Generator) -> None:
    x, _ = copied(rng, (5, 40))
    first = first_copies(x)
    kept = x[first == np.arange(len(x))]
    alone = KNNGraph.build(kept, 6, metric="ip")
    made = alone.with_copies(first, np.einsum("ij,ij->i", kept, kept))
    built = KNNGraph.build(x, 6, metric="ip")
    assert np.array_equal(made.starts, built.starts)
    assert np.array_equal(made.neighbours, built.neighbours)
    assert np.allclose(made.weights, built.weights, rtol=1e-5)
    with pytest.raises(ValueError, match="^first: expected the first copies"):
        alone.with_copies(first[:-1] + 1, np.ones(len(kept)))
    with pytest.raises(ValueError, match="^first: expected a reciprocal graph"):
        KNNGraph.build(kept, 6, reciprocal=False).with_copies(first, np.ones(len(kept)))


def test_copies_of_copies_are_of_one_item(rng: np.random.Generator) -> None:
    """Some are known to be copies beforehand, others show by their vectors."""
    x, which = copied(rng, (31, 7))
    known = np.arange(len(x))
    rows = np.flatnonzero(which == 0)
    known[rows[5:12]] = rows[5]
    kept = x[known == np.arange(len(x))]
    graph = KNNGraph.build(kept, 10).with_copies(known, np.ones(len(kept)))
    at_once = KNNGraph.build(x, 10)
    assert np.array_equal(graph.copies, at_once.copies)
    assert np.array_equal(graph.neighbours, at_once.neighbours)
    assert np.allclose(graph.weights, at_once.weights, atol=1e-6)
