"""Regions pooled into images: loops, and the published example of generalised max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph, RegionalDiffusion, SpectralRanking
from kinfold.graph.regional import gmp_weights


def test_golden_weights() -> None:
    half = np.sqrt(0.5)
    weights = gmp_weights([[1, 0], [half, half], [0, 1]], [0, 0, 0])
    assert weights == pytest.approx((0.430964, 0.195262, 0.430964), abs=1e-6)


def test_weights_of_each_image_are_its_own(rng: np.random.Generator) -> None:
    v = rng.normal(size=(12, 5))
    images = rng.permutation(np.repeat([0, 1, 2], 4))
    weights = gmp_weights(v, images, ridge=0.3)
    for image in range(3):
        part = v[images == image]
        b = np.linalg.inv(part @ part.T + 0.3 * np.eye(4)) @ np.ones(4)
        assert np.allclose(weights[images == image], b, rtol=1e-4)


@pytest.mark.parametrize("make", [Diffusion, lambda graph: SpectralRanking(60).fit(graph)])
def test_scores_are_weighted_sums(rng: np.random.Generator, make: Any) -> None:
    graph = KNNGraph.build(rng.normal(size=(60, 4)), 8)
    images = rng.permutation(np.repeat(np.arange(15), 4))
    weights = rng.random(60).astype(np.float32)
    ids = np.argsort(rng.random((3, 2, 60)), axis=2)[..., :5]
    values = rng.random(ids.shape)
    nodes = make(graph)
    alone = nodes.scores(values, ids)
    for given in (None, weights):
        found = RegionalDiffusion(nodes, images, given).scores(values, ids)
        expected = np.zeros((3, 15))
        for region, image in enumerate(images):
            expected[:, image] += alone[:, region] * (1 if given is None else given[region])
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_ranks_images(rng: np.random.Generator) -> None:
    graph = KNNGraph.build(rng.normal(size=(40, 4)), 8)
    regional = RegionalDiffusion(Diffusion(graph), np.arange(40) // 4)
    assert len(regional) == 10
    scores, ids = regional.rank([1.0, 0.5], [0, 5], k=12)
    assert sorted(ids[:10]) == list(range(10))
    assert (ids[10:] == -1).all()
    assert (np.diff(scores[:10]) <= 0).all()


@pytest.mark.parametrize(
    ("images", "weights", "message"),
    [
        ([0, 1, 2, 9], None, "images: expected one for each region"),
        ([0, 0, 2, 2], None, "images: expected each number"),
        ([0, 0, 1], None, "images: expected 4, one for each node, got 3"),
        ([0, 0, 1, 1], [1.0], "weights: expected 4"),
        ([0, 0, 1, 1], [1, 1, 1, np.nan], "weights: expected 4"),
    ],
)
def test_refuses(path_graph: KNNGraph, images: Any, weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RegionalDiffusion(Diffusion(path_graph), images, weights).scores([1.0], [0])


def test_refuses_what_does_not_diffuse(path_graph: KNNGraph) -> None:
    with pytest.raises(ValueError, match="nodes: expected a diffusion, got KNNGraph"):
        RegionalDiffusion(path_graph, [0, 0, 1, 1])  # type: ignore[arg-type]
