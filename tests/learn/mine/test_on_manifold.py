"""Anchors, positives and negatives against the definition in dense matrices, and the figures of two moons."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.neighbours import self_neighbours
from kinfold.datasets.manifolds import two_moons
from kinfold.evaluate.average_precision import average_precision
from kinfold.learn.mine.on_manifold import (
    ManifoldSets,
    find_anchors,
    mine_on_manifold,
    stationary_distribution,
)

POINTS = two_moons(1000, noise=0.06, seed=0)
HALF = 500


@lru_cache
def moons(k: int) -> kf.KNNGraph:
    """Gaussian similarities of width .1 as weights."""
    near = self_neighbours(POINTS.points, k, metric="l2")
    similarities = np.exp(-near.distances / (2 * 0.1**2)).astype(np.float32)
    return kf.KNNGraph.from_neighbours(similarities, near.ids, gamma=1)


def mined(k: int, k_pos: int, k_neg: int) -> ManifoldSets:
    return mine_on_manifold(
        POINTS.points, graph=moons(k), metric="l2", components="all", k_pos=k_pos, k_neg=k_neg,
        most=1000,
    )  # fmt: skip


def dense(graph: kf.KNNGraph) -> np.ndarray:
    w = np.zeros((len(graph), len(graph)))
    rows = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    w[rows, graph.neighbours] = graph.weights
    return w


def path() -> kf.KNNGraph:
    return kf.KNNGraph.from_rows(
        [0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], [1, 1, 0.5, 0.5, 1, 1], gamma=1, k=2
    )


def test_stationary_distribution_of_the_path_graph() -> None:
    assert np.allclose(stationary_distribution(path()), [0.2, 0.3, 0.3, 0.2])
    # The two in the middle are equal: neither is above the other.
    assert len(find_anchors(path())) == 0


def test_stationary_distribution_is_what_the_walk_ends_in() -> None:
    graph = moons(30)
    rows = POINTS.labels == 0  # one component: the walk has one end
    w = dense(graph)[np.ix_(rows, rows)]
    walk, now = w / w.sum(1, keepdims=True), np.full(HALF, 1 / HALF)
    for _ in range(200_000):
        before, now = now, (now + now @ walk) / 2  # lazy: no bipartite part oscillates
        if np.abs(now - before).max() < 1e-13:
            break
    own = stationary_distribution(graph)[rows]
    assert np.allclose(own / own.sum(), now, atol=1e-7)


def test_anchors_are_strict_local_maxima() -> None:
    graph = moons(20)
    w = dense(graph)
    degree = w.sum(1)
    expected = [i for i in range(1000) if w[i].any() and (degree[i] > degree[w[i] > 0]).all()]
    found = find_anchors(graph)
    assert sorted(found.tolist()) == expected
    assert (np.diff(degree[found]) <= 1e-6).all()


def test_figures_of_two_moons() -> None:
    """Those of the design, which are of other points: components, anchors, mAP."""
    components = {k: kf.graph.connected_components(moons(k)).max() + 1 for k in (10, 20, 30)}
    assert components[10] >= 5 and components[20] <= 3 and components[30] == 2
    anchors = {k: len(find_anchors(moons(k))) for k in (10, 20, 30)}
    assert abs(anchors[10] - 49) <= 6 and abs(anchors[20] - 26) <= 4 and abs(anchors[30] - 20) <= 5
    x, labels = POINTS.points.astype(np.float64), POINTS.labels
    flow = kf.Diffusion(moons(30), iterations=300)
    euclid, manifold = [], []
    for query in range(0, 1000, 10):
        positives = np.flatnonzero(labels == labels[query])
        positives = positives[positives != query]
        order = np.argsort(((x - x[query]) ** 2).sum(1), kind="stable")
        euclid.append(average_precision(order, positives, [query]))
        order = np.argsort(-flow.scores([1.0], [query]), kind="stable")
        manifold.append(average_precision(order, positives, [query]))
    assert np.mean(euclid) == pytest.approx(0.814, abs=0.02)
    assert np.mean(manifold) == pytest.approx(1.0, abs=1e-3)


def test_positives_are_of_the_anchor_s_moon() -> None:
    for k in (20, 30):
        assert mined(k, 50, 50).precision(POINTS.labels)[0] == 1


def test_negatives_need_as_many_neighbours_as_the_class_has() -> None:
    """With one k for both, nearly none is a negative; with that of the class, all are."""
    shares = [mined(30, 50, k_neg).precision(POINTS.labels)[1] for k_neg in (50, 200, 499)]
    assert shares[0] < 0.01 and 0.4 < shares[1] < 0.9 and shares[2] == 1


def test_sets_are_those_of_dense_matrices() -> None:
    x = np.random.default_rng(3).normal(size=(80, 3)).astype(np.float32)
    graph = kf.KNNGraph(8).fit(x)
    found = mine_on_manifold(
        x, graph=graph, components="all", anchors=None, k_pos=6, k_neg=25, most=9, iterations=400
    )
    w = dense(graph)
    scale = np.where(w.any(1), 1 / np.sqrt(np.maximum(w.sum(1), 1e-30)), 0)
    flow = 0.01 * np.linalg.inv(np.eye(80) - 0.99 * scale[:, None] * w * scale)
    u = x.astype(np.float64)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    assert found.anchors.tolist() == np.flatnonzero(w.any(1)).tolist()
    for row, anchor in enumerate(found.anchors.tolist()):
        others = [i for i in range(80) if i != anchor]
        near = sorted(others, key=lambda i: -(u[anchor] @ u[i]))
        reached = sorted((i for i in others if flow[anchor, i] > 1e-9), key=lambda i: -flow[anchor, i])  # fmt: skip
        positives = [i for i in reached[:6] if i not in near[:6]]
        negatives = [i for i in near[:25] if i not in reached[:25]][:9]
        assert [i for i in found.euclidean[row] if i >= 0] == near[:6]
        assert [i for i in found.manifold[row] if i >= 0] == reached[:6]
        assert [i for i in found.positives[row] if i >= 0] == positives
        assert [i for i in found.negatives[row] if i >= 0] == negatives
        assert np.allclose(
            found.similarities[row, : len(positives)], flow[anchor, positives], rtol=1e-3
        )


@pytest.mark.parametrize(("k_pos", "k_neg"), [(5, 40), (30, 10)])
def test_sets_are_disjoint_and_without_the_anchor(k_pos: int, k_neg: int) -> None:
    x = np.random.default_rng(1).normal(size=(200, 4))
    x[::7] = x[0]  # copies too
    found = mine_on_manifold(x, k=12, anchors=None, k_pos=k_pos, k_neg=k_neg)
    assert len(found)
    for anchor, positives, negatives in zip(found.anchors, found.positives, found.negatives):
        positives, negatives = positives[positives >= 0], negatives[negatives >= 0]
        assert anchor not in positives and anchor not in negatives
        assert not set(positives.tolist()) & set(negatives.tolist())


def test_all_is_confined_to_the_largest_component() -> None:
    x = np.concatenate([POINTS.points, POINTS.points[:50] / 50 + 10])
    near = self_neighbours(x, 20, metric="l2")
    graph = kf.KNNGraph.from_neighbours(np.exp(-50 * near.distances), near.ids, gamma=1)
    largest = kf.graph.members(kf.graph.connected_components(graph))[0]
    found = mine_on_manifold(x, graph=graph, metric="l2")
    rows = (found.anchors, found.euclidean, found.manifold, found.positives, found.negatives)
    for part in rows:
        assert np.isin(part[part >= 0], largest).all()


def test_fewer_anchors_are_the_first() -> None:
    every = mine_on_manifold(POINTS.points, graph=moons(30), metric="l2", components="all")
    some = mine_on_manifold(
        POINTS.points, graph=moons(30), metric="l2", components="all", anchors=5
    )
    assert some.anchors.tolist() == every.anchors[:5].tolist()
    assert some.negatives.tolist() == every.negatives[:5].tolist()


def test_bad_input_is_told() -> None:
    with pytest.raises(ValueError, match="among each other's nearest"):
        mine_on_manifold(np.eye(3))  # no two have anything in common
    with pytest.raises(ValueError, match="finite"):
        mine_on_manifold([[1.0, np.nan]] * 3)
    with pytest.raises(ValueError, match="graph: expected 3 nodes"):
        mine_on_manifold(np.ones((3, 2)), graph=path())
    with pytest.raises(ValueError, match="components"):
        mine_on_manifold(POINTS.points, components="some")
    with pytest.raises(ValueError, match="labels"):
        mined(30, 50, 50).precision([0, 1])
    # Three photos have no others far in space.
    found = mine_on_manifold([[1, 0.1], [1, 0.2], [1, 0.4]], anchors=None)
    assert len(found) == 3 and (found.positives == -1).all() and (found.negatives == -1).all()
