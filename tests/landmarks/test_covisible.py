"""Clusters and points of verified matches, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.covisible import covisible
from kinfold.local.match_graph import MatchGraph

RANDOM = np.random.default_rng(0)


def graph_of(pairs: dict, n: int, digests=None, sizes=None) -> MatchGraph:
    """Pairs with so many inliers, and the map of them; features of a photo are the first of a list of its own."""
    own = RANDOM.uniform(0, 100, (n, 60, 2)).astype(np.float32)
    tried = sorted(pairs)
    counts = [pairs[pair][0] for pair in tried]
    points = [np.hstack([own[a][:c], own[b][:c]]) for (a, b), c in zip(tried, counts)]
    return MatchGraph(
        np.arange(n), np.full((n, 2), 100.0) if sizes is None else sizes, digests, tried=tried,
        matched=np.array(counts) + 5, maps=np.stack([pairs[pair][1] for pair in tried]),
        starts=np.concatenate([[0], np.cumsum(counts)]), points=np.concatenate(points),
    )  # fmt: skip


def grown(factor: float) -> np.ndarray:
    return np.diag([factor, factor, 1.0])


def test_clusters_points_and_scales() -> None:
    sizes = np.array([[100, 80], [100, 80], [400, 100], [90, 100], [100, 100], [100, 100]], float)
    graph = graph_of(
        {
            (0, 1): (30, grown(2.0)), (1, 2): (20, grown(4.0)), (0, 2): (11, grown(1.0)),
            (3, 4): (40, grown(0.5)), (2, 3): (8, grown(1.0)), (0, 5): (6, grown(1.0)),
            (1, 5): (5, grown(1.0)), (0, 4): (0, np.zeros((3, 3))),
        }, 6, sizes=sizes,
    )  # fmt: skip
    seen = covisible(graph)
    assert seen.clusters.tolist() == [0, 0, 0, 1, 1, -1]
    assert seen.pairs.tolist() == [[0, 1], [1, 2], [3, 4]]
    assert seen.common.tolist() == [30, 20, 40]
    # The first 20 features of photo 1 are among the 30 of its other pair.
    assert seen.points.tolist() == [30, 30, 20, 40, 40, 0]
    # Photo 2 is four times as large as photo 1: seen equally large, nothing has grown.
    assert np.allclose(seen.scales, [2.0, 1.0, 0.5])
    assert seen.unsure.tolist() == [[0, 5], [2, 3]]


def test_scale_of_a_projective_map_is_that_of_small_squares() -> None:
    matrix = np.array([[1.1, 0.2, 5.0], [-0.1, 0.9, 3.0], [0.001, 0.002, 1.0]])
    graph = graph_of({(0, 1): (20, matrix)}, 2)
    middle = graph.points_of(0)[:, :2].mean(axis=0)
    corners = middle + 1e-3 * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    image = np.column_stack([corners, np.ones(4)]) @ matrix.T
    x, y = (image[:, :2] / image[:, 2:]).T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    assert covisible(graph).scales[0] == pytest.approx(np.sqrt(area / 1e-6), rel=1e-3)


def test_a_weak_bridge_parts_clusters_and_makes_them_unsure() -> None:
    pairs = {(0, 1): (40, grown(1.0)), (2, 3): (40, grown(1.0)), (1, 2): (14, grown(1.0))}
    seen = covisible(graph_of(pairs, 4))
    assert seen.clusters.tolist() == [0, 0, 1, 1] and seen.unsure.tolist() == [[1, 2]]
    assert covisible(graph_of(pairs, 4), bridge=14.0).clusters.tolist() == [0] * 4


def test_copies_are_in_the_cluster_of_the_first_and_in_no_pair() -> None:
    digests = np.zeros((5, 20), np.uint8)
    digests[:, 0] = [1, 2, 1, 3, 4]
    pairs = {(0, 1): (30, grown(1.0)), (1, 2): (30, grown(1.0)), (3, 4): (9, grown(1.0))}
    graph = graph_of(pairs, 5, digests)
    seen = covisible(graph)
    assert seen.clusters.tolist() == [0, 0, 0, -1, -1]
    assert seen.pairs.tolist() == [[0, 1]]
    # Told from elsewhere, and not by digests.
    seen = covisible(graph, copies=[0, 1, 2, 3, 3])
    assert seen.clusters.tolist() == [0, 0, 0, 1, 1] and seen.pairs.tolist() == [[0, 1], [1, 2]]


def test_nothing_was_matched() -> None:
    seen = covisible(MatchGraph([1, 2, 3], np.ones((3, 2))))
    assert seen.clusters.tolist() == [-1] * 3 and not len(seen.pairs)
