"""What engines without vectors keep: each photo once, as the engine's own inverted file would hold it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold.base.registry import resolve
from kinfold.gallery import METHODS
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.engines.keeping import KeepingEngine
from kinfold.gallery.settings import Settings

KEEPING = [n for n in METHODS if issubclass(resolve(METHODS[n]), KeepingEngine)]


def test_they_are_known() -> None:
    assert sorted(KEEPING) == ["asmk", "bow", "regions"]


@pytest.mark.parametrize("name", ["asmk", "bow"])
def test_inverted_files_are_asked_as_they_are(name, segment, rng) -> None:
    part = segment(rng, [40, 30, 20, 25])
    engine = resolve(METHODS[name]).learn([part], Settings(engine=name, visual_words=8))
    lists = engine.empty()
    lists.add(engine.held(part), ids=part.ids)
    local = all_described(part)
    for row in range(4):
        asked = engine.asked(part.features(row), {})
        np.testing.assert_array_equal(asked, local[row])
        np.testing.assert_array_equal(engine.scores(lists, asked), lists.scores([local[row]])[0])
    found, expected = engine.neighbours(lists, 2), lists.neighbours(2)
    np.testing.assert_array_equal(found.ids, expected.ids)
    turned = engine.ordered(lists, part.ids[::-1])
    np.testing.assert_array_equal(turned.ids, part.ids[::-1])
