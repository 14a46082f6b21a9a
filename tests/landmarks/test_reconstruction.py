"""Points from matches: against the cameras that saw them, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.covisible import covisible
from kinfold.landmarks.reconstruction import Model, covisible_points, reconstruct
from kinfold.learn.covisible import CoVisible
from kinfold.local.match_graph import MatchGraph

SIZES = np.full((7, 2), (640.0, 480.0))


def cloud(rng: np.random.Generator) -> tuple[MatchGraph, np.ndarray, np.ndarray]:
    """Seven cameras around 150 points, each pair with the exact places of six in ten; centres, focal / depth."""
    camera = pytest.importorskip("kinfold.datasets.camera")
    points = rng.uniform(-5, 5, (150, 3)) * (1, 1, 0.6) + (0, 5, 0)
    angles, away = np.linspace(-0.7, 0.7, 7), np.array([1, 1.1, 1, 1.3, 1, 1.2, 1])[:, None]
    centres = away * np.stack([12 * np.sin(angles), 4 + np.cos(3 * angles), 14 * np.cos(angles)], 1)
    focals = [600.0, 560, 560, 560, 700, 560, 560]
    cameras = [
        camera.Camera((640, 480), centre, np.array([0, 5.0, 0]), focal, 0.02 * at)
        for at, (centre, focal) in enumerate(zip(centres, focals))
    ]
    seen = [one.project(points) for one in cameras]
    tried = np.column_stack(np.triu_indices(7, 1))
    found = [
        np.hstack([seen[a][0], seen[b][0]])[rng.random(150) < 0.6].astype(np.float32)
        for a, b in tried.tolist()
    ]
    counts = [len(part) for part in found]
    graph = MatchGraph(
        np.arange(7), SIZES, tried=tried, matched=counts, maps=np.tile(np.eye(3), (21, 1, 1)),
        starts=np.concatenate([[0], np.cumsum(counts)]), points=np.concatenate(found),
    )  # fmt: skip
    return graph, centres, np.stack([f / depth for f, (_, depth) in zip(focals, seen)])


def off(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest distance after the similarity that fits best (Umeyama, PAMI 1991)."""
    a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    u, s, v = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.linalg.det(u @ v)])
    return float(np.abs((s * signs).sum() / (a**2).sum() * a @ ((u * signs) @ v).T - b).max())


def test_cameras_and_points_are_where_they_were(rng: np.random.Generator) -> None:
    pytest.importorskip("pycolmap")
    graph, centres, sizes = cloud(rng)
    models = reconstruct(graph, np.arange(7))
    assert len(models) == 1 and models[0].photos.tolist() == list(range(7))
    assert len(models[0].points) >= 145
    assert off(models[0].centres, centres) < 0.01
    assert np.allclose(models[0].focals[[0, 4]], [600, 700], rtol=1e-3)
    again = reconstruct(graph, np.arange(7))[0]
    assert np.array_equal(again.points, models[0].points)
    seen = covisible_points(covisible(graph), models, SIZES)
    assert seen.pairs.tolist() == graph.tried.tolist()
    # Seen by six in ten of six pairs, all points come to be seen by all.
    assert seen.common.min() > 130 and seen.points.min() > 140
    expected = [np.median(sizes[b] / sizes[a]) for a, b in seen.pairs]
    assert np.allclose(seen.scales, expected, rtol=0.02)


def test_matches_that_bear_no_model(rng: np.random.Generator) -> None:
    pytest.importorskip("pycolmap")
    graph = cloud(rng)[0]
    assert reconstruct(graph, [0]) == [] and reconstruct(graph, []) == []
    assert reconstruct(graph, np.arange(7), least_inliers=151) == []
    shuffled = MatchGraph(
        graph.ids, graph.sizes, tried=graph.tried, matched=graph.matched, maps=graph.maps,
        starts=graph.starts, points=rng.permuted(graph.points, axis=0),
    )  # fmt: skip
    assert reconstruct(shuffled, np.arange(7)) == []
    with pytest.raises(ValueError, match="photos: expected positions below 7, got 7"):
        reconstruct(graph, [7])


def test_points_take_the_place_of_matches_where_there_is_a_model() -> None:
    seen = CoVisible(
        [0, 0, 0, 0, 1, 1, -1], [[0, 1], [1, 3], [4, 5]], [12, 14, 20], [15, 20, 0, 14, 22, 21, 0],
        [1.0, 1.1, 1.2], unsure=[[0, 6]],
    )  # fmt: skip
    looking = np.tile(np.eye(3), (3, 1, 1))  # along z, from z = 0, 0 and 5
    model = Model(
        np.array([0, 1, 2]), np.array([[0, 0, 0], [1, 0, 0], [0, 0, 5.0]]), looking,
        np.array([100.0, 200.0, 100.0]), np.array([[0, 0, 10], [0, 1, 20], [1, 0, 15.0]]),
        np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 0]]),
    )  # fmt: skip
    sizes = np.array([[640, 480], [640, 480], [300, 320]] + [[640, 480]] * 4)
    found = covisible_points(seen, [model], sizes)
    assert found.clusters.tolist() == seen.clusters.tolist()
    assert found.unsure.tolist() == [[0, 6]]
    # Photo 3, which the model lacks, keeps its match.
    assert found.pairs.tolist() == [[1, 3], [4, 5], [0, 1], [0, 2], [1, 2]]
    assert found.common.tolist() == [14, 20, 2, 1, 1]
    assert found.points.tolist() == [15, 20, 1, 14, 22, 21, 0]
    # Photo 1 has twice the focal length; photo 2 half the size, and half the depth.
    assert np.allclose(found.scales, [1.1, 1.2, 2.0, 4.0, 2.0])
    # A second model of the same photos adds nothing.
    assert np.array_equal(covisible_points(seen, [model, model], sizes).pairs, found.pairs)


def test_without_the_package(monkeypatch) -> None:
    import sys

    from kinfold.base.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match="kinfold\\[colmap\\]"):
        reconstruct(MatchGraph([0], [[10.0, 10.0]]), [0])
