"""The engine that compares local features word by word, alone and in a gallery."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.engines.asmk import ASMKEngine
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.settings import Settings


def test_a_photo_finds_itself(rng, segment) -> None:
    parts = [segment(rng, [40, 30, 0]), segment(rng, [25, 60], 4)]
    engine = ASMKEngine.learn(parts, Settings(visual_words=16))
    lists = engine.empty()
    for part in parts:
        lists.add(all_described(part), ids=part.ids)
    similarities, ids = lists.search([d for part in parts for d in all_described(part)], 2)
    assert ids[[0, 1, 3, 4], 0].tolist() == [1, 2, 4, 5]
    assert (similarities[2] <= 0).all() and np.isfinite(similarities).all()


def test_state_comes_back(rng, segment) -> None:
    part = segment(rng, [40, 30, 20])
    engine = ASMKEngine.learn([part], Settings(visual_words=500))
    again = ASMKEngine.from_state(engine.params(), engine.arrays())
    answers = []
    for one in (engine, again):
        lists = one.empty()
        lists.add(all_described(part), ids=part.ids)
        answers.append(lists.scores(all_described(part)))
    np.testing.assert_array_equal(*answers)
    with pytest.raises(FileFormatError):
        ASMKEngine.from_state({**engine.params(), "wings": 2}, engine.arrays())


def test_nothing_to_learn_from(rng, segment) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        ASMKEngine.learn([segment(rng, [0, 0])], Settings())


def test_comparable_keeps_the_order(rng, segment) -> None:
    engine = ASMKEngine.learn([segment(rng, [40, 30])], Settings(visual_words=4))
    x = np.array([-0.1, 0, 1e-4, 1e-3, 0.1, 1], np.float32)
    y = engine.comparable(x)
    assert (np.diff(y[1:]) > 0).all() and y[0] == y[1] == 0 and y[-1] < 1
    assert engine.comparable(np.float32(engine.half)) == pytest.approx(0.5)


def test_lists_follow_the_order_of_the_index(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 0])
    engine = ASMKEngine.learn([part], Settings(visual_words=16))
    lists = engine.empty()
    lists.add(all_described(part), ids=part.ids)
    before = lists.scores(all_described(part))
    lists.ordered([3, 1, 4, 2])
    assert lists.ids.tolist() == [3, 1, 4, 2]
    np.testing.assert_array_equal(lists.scores(all_described(part)), before[:, [2, 0, 3, 1]])
    with pytest.raises(ValueError, match="^ids: "):
        lists.ordered([3, 1, 4, 4])
