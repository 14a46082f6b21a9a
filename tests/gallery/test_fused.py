"""Several engines together: every photo compared with every other, by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.local_features import LocalFeatures
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.fused import Fused
from kinfold.gallery.model import Model
from kinfold.gallery.query import Query
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings, engines_of
from kinfold.index.flat import FlatIndex

SHARES = {"asmk": 0.5, "vlad": 0.3, "tembedding": 0.2}
COMBINATIONS = ["+".join(names) for n in (1, 2, 3) for names in itertools.combinations(SHARES, n)]


@pytest.fixture
def segment(rng) -> PhotoSegment:
    """Nine photos of three things: each feature of a thing a little changed. Ids out of order."""
    things = rng.integers(0, 120, (3, 60, 128))
    photos = []
    for i in range(9):
        seen = rng.permutation(60)[: 50 - i]
        descriptors = things[i % 3, seen] + rng.integers(0, 30, (len(seen), 128))
        n = len(descriptors)
        photos.append(
            LocalFeatures(
                rng.random((n, 2), np.float32), np.ones(n, np.float32), np.zeros(n, np.float32),
                descriptors.astype(np.uint8),
            )
        )  # fmt: skip
    return PhotoSegment.of([8, 3, 5, 11, 2, 9, 4, 20, 7], [(9, 9, 9, 9)] * 9, photos)


def fused_of(engine: str, segment: PhotoSegment) -> tuple[Fused, Model]:
    names = engines_of(engine)
    settings = Settings(
        engine=engine, shares=tuple(SHARES[name] for name in names), visual_words=16, codewords=4,
        centroids=3, dim=5,
    )  # fmt: skip
    model = Model.learn([segment], settings, "", len(segment))
    vectors, index = model.vectors(segment), None
    if vectors is not None:
        index = FlatIndex(vectors.shape[1], metric="ip")
        index.add(vectors, ids=segment.ids)
    lists = model.empty()
    for held in lists.values():
        held.add(all_described(segment), ids=segment.ids)
    return Fused(model, index, lists), model


def by_hand(model: Model, segment: PhotoSegment, fused: Fused, local: list) -> np.ndarray:
    """The weighed sum for queries that are photos of the segment, (9, 9)."""
    total = np.zeros((9, 9))
    weight = sum(SHARES[name] for name in model.engines)
    for name, engine in model.engines.items():
        if name in model.lists:
            similarities = engine.comparable(fused.lists[name].scores(local))
        else:
            vectors = engine.vectors(segment)
            similarities = vectors @ vectors.T
        total += SHARES[name] / weight * similarities
    return total


@pytest.mark.parametrize("engine", COMBINATIONS)
def test_search_adds_weighed_similarities(engine, segment) -> None:
    fused, model = fused_of(engine, segment)
    expected = by_hand(model, segment, fused, all_described(segment))
    for row in range(9):
        features = segment.features(row)
        pixels = np.zeros((9, 9, 3), np.uint8)
        vector = model.describe(features, None)
        query = Query("", pixels, (9, 9), None, features, np.eye(3), vector)
        found = fused.search(query, 9)
        assert sorted(found.ids.tolist()) == sorted(segment.ids.tolist())
        columns = [segment.ids.tolist().index(i) for i in found.ids.tolist()]
        # A photo pooled alone or among others: rounded otherwise, and whitened from nine.
        np.testing.assert_allclose(found.distances, expected[row, columns], atol=1e-4)
        assert (np.diff(found.distances) <= 0).all()
        short = fused.search(query, 4)
        np.testing.assert_array_equal(short.ids, found.ids[:4])


@pytest.mark.parametrize("engine", COMBINATIONS)
def test_neighbours_are_those_of_the_sum(engine, segment) -> None:
    fused, model = fused_of(engine, segment)
    total = np.zeros((9, 9))
    weight = sum(SHARES[name] for name in model.engines)
    for name, engine_ in model.engines.items():
        if name in model.lists:
            found = fused.lists[name].neighbours(8)
            similarities = np.zeros((9, 9), np.float32)
            np.put_along_axis(similarities, found.ids, engine_.comparable(found.distances), 1)
        else:
            vectors = engine_.vectors(segment)
            similarities = vectors @ vectors.T
        total += SHARES[name] / weight * similarities
    np.fill_diagonal(total, -np.inf)
    found = fused.neighbours(3)
    assert found.ids.shape == (9, 3)
    np.testing.assert_allclose(found.distances, -np.sort(-total, axis=1)[:, :3], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(total, found.ids, 1), found.distances, atol=1e-5)
    graph = fused.graph(3)
    for row in range(9):
        own = slice(int(graph.starts[row]), int(graph.starts[row + 1]))
        for other, value in zip(graph.neighbours[own], graph.weights[own]):
            assert value == pytest.approx(max(total[row, other], total[other, row]) ** 3, abs=1e-5)


def test_one_photo_has_no_neighbour(segment) -> None:
    one = segment.select(np.arange(9) == 2)
    fused, _ = fused_of("asmk+vlad", one)
    assert fused.neighbours(3).ids.tolist() == [[-1, -1, -1]]
    assert len(fused.graph(3).neighbours) == 0


@pytest.mark.parametrize("engine", ["", "asmk+", "asmk+asmk", "magic", "asmk,vlad", 3, None])
def test_unknown_engines(engine) -> None:
    with pytest.raises(ValueError, match="^engine: "):
        Settings(engine=engine)


def test_names_of_engines() -> None:
    assert engines_of("cnn+asmk") == ("cnn", "asmk")
    assert engines_of("both") == ("vlad", "cnn")


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.2, 0.3), (0, 0), (-1, 2), (0.5, "x")])
def test_bad_shares(shares) -> None:
    with pytest.raises(ValueError, match="^shares: "):
        Settings(engine="asmk+vlad", shares=shares)
