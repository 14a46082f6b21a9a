"""The engine of colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.aggregate.vlad import VLAD
from kinfold.base.errors import GalleryError
from kinfold.gallery.engines.colour import ColourEngine
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.local.colour import colour_vectors


def test_what_is_compared_is_a_vlad_of_colours(rng, segment) -> None:
    part = segment(rng, [40, 30])
    engine = ColourEngine.learn([part], Settings(engine="colour", colour_codewords=3))
    vlad = VLAD.from_state(
        engine.params()["colour"],
        {"codebook": engine.arrays()["colour.codebook"]},
    )
    photos = [colour_vectors(part.features(row).colours) for row in range(2)]
    np.testing.assert_allclose(engine.vectors(part), vlad.transform(photos), atol=1e-6)
    again = ColourEngine.from_state(engine.params(), engine.arrays())
    np.testing.assert_array_equal(again.vectors(part), engine.vectors(part))
    np.testing.assert_array_equal(engine.describe(part.features(1)), engine.vectors(part)[1])


def test_descriptors_do_not_matter(rng, segment) -> None:
    part = segment(rng, [40, 30, 20, 0])
    engine = ColourEngine.learn([part], Settings(engine="colour", colour_codewords=3, dim=2))
    own = part.features(1)
    other = replace(own, descriptors=own.descriptors[::-1])
    np.testing.assert_array_equal(engine.describe(own), engine.describe(other))


def test_photos_without_colours(rng, segment) -> None:
    part = segment(rng, [40, 30, 20])
    grey = [replace(part.features(row), colours=None) for row in range(3)]
    bare = PhotoSegment.of([1, 2, 3], [(9, 9, 9, 9)] * 3, grey)
    with pytest.raises(GalleryError, match="without colours"):
        ColourEngine.learn([bare], Settings(engine="colour"))
    engine = ColourEngine.learn([part], Settings(engine="colour", colour_codewords=3))
    with pytest.raises(GalleryError, match="without colours"):
        engine.describe(grey[0])
    with pytest.raises(GalleryError, match="local feature"):
        ColourEngine.learn([segment(rng, [0, 0])], Settings(engine="colour"))
