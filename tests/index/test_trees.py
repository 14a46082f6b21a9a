"""An index of trees finds exactly what a scan of the same rows finds, whatever comes and goes."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.index.trees import TreeIndex


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_answers_of_a_scan(metric: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((300, 3)).astype(np.float32)
    queries = x[:9] + np.float32(0.01)
    trees, flat = TreeIndex(3, metric=metric), kf.FlatIndex(3, metric=metric)
    for index in (trees, flat):
        index.add(x)
        index.remove(np.arange(0, 300, 7))
    (near, found), (expected, ids) = trees.search(queries, 11), flat.search(queries, 11)
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_allclose(near, expected, rtol=1e-5, atol=1e-6)


def test_the_factory_spells_it_and_inner_products_are_refused() -> None:
    assert isinstance(kf.index_factory("KDTree", 3), TreeIndex)
    with pytest.raises(ValueError, match="metric: "):
        TreeIndex(3, metric="ip")
