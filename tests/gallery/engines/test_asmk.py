"""The engine that compares local features word by word, alone and in a gallery."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.build import _graph
from kinfold.gallery.engines.asmk import ASMKEngine, comparable, described
from kinfold.gallery.settings import Settings
from kinfold.index.flat import FlatIndex


def test_a_photo_finds_itself(rng, segment) -> None:
    parts = [segment(rng, [40, 30, 0]), segment(rng, [25, 60], 4)]
    engine = ASMKEngine.learn(parts, Settings(visual_words=16))
    lists = engine.empty()
    for part in parts:
        lists.add(described(part), ids=part.ids)
    similarities, ids = lists.search([d for part in parts for d in described(part)], 2)
    assert ids[[0, 1, 3, 4], 0].tolist() == [1, 2, 4, 5]
    assert (similarities[2] <= 0).all() and np.isfinite(similarities).all()


def test_state_comes_back(rng, segment) -> None:
    part = segment(rng, [40, 30, 20])
    engine = ASMKEngine.learn([part], Settings(visual_words=500))
    again = ASMKEngine.from_state(engine.params(), engine.arrays())
    answers = []
    for one in (engine, again):
        lists = one.empty()
        lists.add(described(part), ids=part.ids)
        answers.append(lists.scores(described(part)))
    np.testing.assert_array_equal(*answers)
    with pytest.raises(FileFormatError):
        ASMKEngine.from_state({**engine.params(), "wings": 2}, engine.arrays())


def test_nothing_to_learn_from(rng, segment) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        ASMKEngine.learn([segment(rng, [0, 0])], Settings())


def test_comparable_keeps_the_order() -> None:
    x = np.array([-0.1, 0, 1e-4, 1e-3, 0.1, 1], np.float32)
    y = comparable(x)
    assert (np.diff(y[1:]) > 0).all() and y[0] == y[1] == 0 and y[-1] < 1


def test_the_graph_is_of_both_similarities(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 25, 35])
    engine = ASMKEngine.learn([part], Settings(visual_words=16))
    lists = engine.empty()
    lists.add(described(part), ids=part.ids)
    vectors = rng.standard_normal((5, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = FlatIndex(4, metric="ip")
    index.add(vectors, ids=part.ids)
    graph = _graph(index, lists, 0.6, 4)
    scores = 0.6 * comparable(lists.neighbours(4).distances)
    expected = np.zeros((5, 5))
    for row, (found, values) in enumerate(zip(lists.neighbours(4).ids, scores)):
        for other, value in zip(found, values):
            expected[row, other] = max(value + 0.4 * float(vectors[row] @ vectors[other]), 0)
    expected = np.maximum(expected, expected.T) ** 3
    for row in range(5):
        own = slice(int(graph.starts[row]), int(graph.starts[row + 1]))
        np.testing.assert_allclose(
            graph.weights[own], expected[row, graph.neighbours[own]], rtol=1e-3, atol=1e-6
        )


def test_lists_follow_the_order_of_the_index(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 0])
    engine = ASMKEngine.learn([part], Settings(visual_words=16))
    lists = engine.empty()
    lists.add(described(part), ids=part.ids)
    before = lists.scores(described(part))
    lists.ordered([3, 1, 4, 2])
    assert lists.ids.tolist() == [3, 1, 4, 2]
    np.testing.assert_array_equal(lists.scores(described(part)), before[:, [2, 0, 3, 1]])
    with pytest.raises(ValueError, match="^ids: "):
        lists.ordered([3, 1, 4, 4])
