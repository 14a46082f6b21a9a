"""The engine that needs no weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.engines.vlad import VLADEngine
from kinfold.gallery.settings import Settings


def test_alone_and_together_agree(rng, segment) -> None:
    parts = [segment(rng, [40, 30, 0]), segment(rng, [25, 60], 4)]
    engine = VLADEngine.learn(parts, Settings(codewords=4, dim=3))
    together = np.concatenate([engine.vectors(part) for part in parts])
    alone = [
        engine.describe(part.features(row), None) for part in parts for row in range(len(part))
    ]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_state_comes_back(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 10])
    for settings in (Settings(codewords=4, dim=2), Settings(codewords=500)):
        engine = VLADEngine.learn([part], settings)
        again = VLADEngine.from_state(engine.params(), engine.arrays())
        np.testing.assert_array_equal(engine.vectors(part), again.vectors(part))
    with pytest.raises(FileFormatError):
        VLADEngine.from_state({**engine.params(), "wings": 2}, engine.arrays())


def test_few_photos_have_no_whitening(rng, segment) -> None:
    part = segment(rng, [40, 30])
    engine = VLADEngine.learn([part], Settings(codewords=4))
    assert engine.vectors(part).shape == (2, 4 * 128)


def test_nothing_to_learn_from(rng, segment) -> None:
    with pytest.raises(GalleryError, match="local feature"):
        VLADEngine.learn([segment(rng, [0, 0])], Settings())
