"""The engine of visual words with signatures."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.engines.bow import BoWEngine
from kinfold.gallery.settings import Settings


def test_a_photo_finds_itself(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 0])
    engine = BoWEngine.learn([part], Settings(visual_words=4))
    lists = engine.empty()
    lists.add(all_described(part), ids=part.ids)
    scores = lists.scores(all_described(part))
    assert scores.argmax(axis=1)[:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.diag(scores)[:3], 1, atol=1e-5)


def test_state_comes_back(rng, segment) -> None:
    part = segment(rng, [40, 30, 20])
    engine = BoWEngine.learn([part], Settings(visual_words=4))
    again = BoWEngine.from_state(engine.params(), engine.arrays())
    assert again.half == engine.half
    answers = []
    for one in (engine, again):
        lists = one.empty()
        lists.add(all_described(part), ids=part.ids)
        answers.append(lists.scores(all_described(part)))
    np.testing.assert_array_equal(*answers)
    for params in ({**engine.params(), "wings": 2}, {**engine.params(), "half": 0}):
        with pytest.raises(FileFormatError):
            BoWEngine.from_state(params, engine.arrays())


def test_nothing_to_learn_from(rng, segment) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        BoWEngine.learn([segment(rng, [0, 0])], Settings())
