"""Miners see descriptors without their gradients."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kinfold.learn.mine.descriptors import as_mined


def test_gradients_do_not_matter_and_stay() -> None:
    leaf = torch.arange(6.0).reshape(3, 2).requires_grad_()
    seen = leaf * 2
    np.testing.assert_array_equal(as_mined(seen), [[0, 2], [4, 6], [8, 10]])
    assert seen.requires_grad
    np.testing.assert_array_equal(as_mined([[1, 2]], dim=2), [[1, 2]])
    with pytest.raises(ValueError, match=r"^descriptors: expected vectors of dimension 4"):
        as_mined(seen, dim=4)
