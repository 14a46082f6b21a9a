"""Search options: what is refused, and the values that are tried."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kinfold.index.options import as_factor, as_truth, ladder, refinements, shortlist


@pytest.mark.parametrize("value", [1, 0, "yes", None, 1.0])
def test_a_truth_is_true_or_false(value) -> None:
    assert as_truth(True, "exact") is True and as_truth(np.False_, "exact") is False
    with pytest.raises(ValueError, match="^exact: expected True or False"):
        as_truth(value, "exact")


@pytest.mark.parametrize(("least", "most"), [(1, 1), (1, 7), (3, 100), (16, 4096)])
def test_a_ladder_climbs_from_end_to_end_by_a_half_at_most(least, most) -> None:
    steps = ladder(least, most)
    assert steps[0] == least and steps[-1] == most
    for low, high in itertools.pairwise(steps):
        assert low < high <= max(1.5 * low, low + 1)


def test_a_shortlist_is_rounded_up() -> None:
    assert [shortlist(10, f) for f in (1, 1.01, 4, 2.5)] == [10, 11, 40, 25]
    for factor in (0.5, float("nan"), "many"):
        with pytest.raises(ValueError, match="^refine_factor: expected"):
            shortlist(10, factor)
    assert as_factor(1e6, "refine_factor") == 1e6


def test_refinements_end_with_all_rows_or_1024_of_them_a_neighbour() -> None:
    assert refinements(1000, 10)["refine_factor"] == (1, 2, 4, 8, 16, 32, 64, 100)
    assert refinements(5, 10)["refine_factor"] == (1,)
    assert refinements(10**9, 10)["refine_factor"][-1] == 1024
