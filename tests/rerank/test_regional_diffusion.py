"""Diffusion among the regions of the first photos: as a dense solution pools them."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.graph.regional import gmp_weights
from kinfold.rerank.pipeline import stages_for
from kinfold.rerank.regional_diffusion import RegionalDiffusionStage
from kinfold.rerank.stage import Asked, Ranked, RankedList

IDS = np.array([11, 5, 8, 20, 3, 40, 6, 2])


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def photos(rng) -> dict[int, np.ndarray]:
    """Regions around three directions."""
    middles = rng.standard_normal((3, 8))
    return {
        int(i): unit(middles[rng.integers(3, size=n)] + 0.4 * rng.standard_normal((n, 8)))
        for n, i in enumerate(IDS, 3)
    }


@pytest.mark.parametrize("pool", ["gmp", "sum"])
@pytest.mark.parametrize("top", [8, 5])
def test_scores_are_those_of_the_dense_system(rng, photos, pool, top) -> None:
    query = unit(next(iter(photos.values()))[:2] + 0.1 * rng.standard_normal((2, 8)))
    scores = np.linspace(0.9, 0.2, 8, dtype=np.float32)
    ranked = Ranked.joined([RankedList.first(scores, IDS)])
    asked = Asked(regional=[query], regional_of=lambda i: photos[i])
    stage = RegionalDiffusionStage(
        k=6, k_query=3, alpha=0.8, pool=pool, top=top, iterations=200, tolerance=1e-10
    )
    better = stage(asked, ranked).lists[0]

    looked = IDS[:top]
    regions = np.concatenate([photos[i] for i in looked.tolist()])
    owners = np.repeat(np.arange(top), [len(photos[i]) for i in looked.tolist()])
    graph = kf.KNNGraph(6).fit(regions)
    dense = np.zeros((len(regions),) * 2)
    normalised = graph.normalised()
    for row in range(len(regions)):
        own = slice(graph.starts[row], graph.starts[row + 1])
        dense[row, graph.neighbours[own]] = normalised[own]
    y = np.zeros(len(regions))
    for q in query:
        similar = regions @ q
        for i in np.argsort(-similar)[:3]:
            y[i] += max(similar[i], 0) ** 3
    f = np.linalg.solve(np.eye(len(regions)) - 0.8 * dense, y)
    weights = gmp_weights(regions, owners) if pool == "gmp" else np.ones(len(regions))
    expected = np.bincount(owners, weights=weights * f)
    expected /= expected.max()
    order = np.argsort(-expected, kind="stable")
    assert better.ids[:top].tolist() == looked[order].tolist()
    np.testing.assert_allclose(better.scores[:top], expected[order], atol=1e-4)
    assert better.ids[top:].tolist() == IDS[top:].tolist()


def test_it_finds_by_a_chain_what_regions_alone_do_not() -> None:
    """Photos on an arc, each like the next: the far end is nearer along the graph than a stranger."""
    angles = np.linspace(0, 1.9, 12)
    arc = {i: np.array([[np.cos(a), np.sin(a), 0.0]], np.float32) for i, a in enumerate(angles)}
    stranger = np.array([[0.6, 0.0, 0.8]], np.float32)
    photos = {**arc, 99: stranger}
    ids = np.array([*arc, 99])
    query = np.array([[1.0, 0.0, 0.0]], np.float32)
    scores = np.array([(query @ photos[i][0])[0] for i in ids.tolist()], np.float32)
    order = np.argsort(-scores)
    ranked = Ranked.joined([RankedList.first(scores[order], ids[order])])
    asked = Asked(regional=[query], regional_of=lambda i: photos[i])
    place = {
        name: rank_of(stage(asked, ranked).lists[0].ids)
        for name, stage in {
            "diffused": RegionalDiffusionStage(k=2, k_query=1, alpha=0.99, pool="sum"),
        }.items()
    }
    before = rank_of(ranked.lists[0].ids)
    assert before[99] < before[11]
    assert place["diffused"][99] > place["diffused"][11]


def rank_of(ids: np.ndarray) -> dict[int, int]:
    return {int(i): rank for rank, i in enumerate(ids)}


def test_what_it_needs() -> None:
    assert "regional-diffusion" in stages_for({"regional", "regional_of"})
    assert "regional-diffusion" not in stages_for({"graph", "queries", "base"})
    for bad, name in ({"k": 0}, "k"), ({"pool": "max"}, "pool"), ({"gamma": 0}, "gamma"):
        with pytest.raises(ValueError, match=f"^{name}: "):
            RegionalDiffusionStage(**bad)
