"""The one cell of an exhaustive scan."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.index.coarse.single import SingleCell


def test_everything_is_in_the_cell_at_the_origin() -> None:
    cell = SingleCell(3)
    x = np.ones((4, 3), np.float32)
    assert cell.fit(x) is cell and cell.n_cells == 1
    np.testing.assert_array_equal(cell.assign(x), [0, 0, 0, 0])
    np.testing.assert_array_equal(cell.centroids_of(np.zeros(2, np.int64)), np.zeros((2, 3)))
    np.testing.assert_array_equal(cell.middle(), np.zeros(3))
    assert cell.reach() == 0.0


def test_state_and_refusals() -> None:
    again = SingleCell.from_state(SingleCell(7).params(), SingleCell(7).arrays())
    assert again.dim == 7 and again.arrays() == {}
    for dim in (0, 32769):
        with pytest.raises(ValueError, match="dim: expected"):
            SingleCell(dim)
