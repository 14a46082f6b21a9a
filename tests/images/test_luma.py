from __future__ import annotations

import numpy as np
import pytest

from kinfold.images.luma import luma


def test_as_files_have_it(rng) -> None:
    cv2 = pytest.importorskip("cv2")
    colours = rng.integers(256, size=(4, 7, 3)).astype(np.uint8)
    expected = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
    assert np.abs(luma(colours) - expected).max() <= 0.51
    assert luma(colours).dtype == np.float32


def test_grey_stays_as_it_is() -> None:
    assert luma(np.full((2, 2, 3), 80, np.uint8)) == pytest.approx(80)
