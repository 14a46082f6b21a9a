"""The engine of Fisher vectors; what it shares with others is in test_pooled."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.aggregate.fisher import FisherVector
from kinfold.gallery.engines.fisher import FisherEngine
from kinfold.gallery.settings import Settings
from kinfold.local.sift import root_sift


def test_vectors_are_those_of_the_mixture(rng, segment) -> None:
    part = segment(rng, [40, 30])  # too few photos for a whitening
    engine = FisherEngine.learn([part], Settings(codewords=8))
    assert (engine.learnt.k, engine.whitening) == (4, None)
    mixture = FisherVector.from_mixture(
        engine.learnt.weights, engine.learnt.means, engine.learnt.variances,
        gradients="means and variances",
    )  # fmt: skip
    photos = [root_sift(part.features(row).descriptors) for row in range(2)]
    np.testing.assert_allclose(engine.vectors(part), mixture.transform(photos), atol=1e-6)


def test_more_gaussians_than_features(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 10])
    engine = FisherEngine.learn([part], Settings(codewords=500))
    again = FisherEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(engine.vectors(part), again.vectors(part))
