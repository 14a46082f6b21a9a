"""The engine that needs no weights; what it shares with others is in test_pooled."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.gallery.engines.vlad import VLADEngine
from kinfold.gallery.settings import Settings


def test_few_photos_have_no_whitening(rng, segment) -> None:
    part = segment(rng, [40, 30])
    engine = VLADEngine.learn([part], Settings(codewords=4))
    assert engine.vectors(part).shape == (2, 4 * 128)


def test_more_codewords_than_features(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 10])
    engine = VLADEngine.learn([part], Settings(codewords=500))
    again = VLADEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(engine.vectors(part), again.vectors(part))
