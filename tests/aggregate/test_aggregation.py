"""What estimators of photos tell scikit-learn, and what they leave to each method."""

from __future__ import annotations

import pytest

from kinfold.aggregate.aggregation import Aggregation
from kinfold.base.registry import catalogue, resolve


def test_each_method_makes_its_own_vectors() -> None:
    with pytest.raises(NotImplementedError):
        Aggregation().transform([])
    for target in catalogue("aggregate").values():
        cls = resolve(target)
        assert issubclass(cls, Aggregation) and cls.transform is not Aggregation.transform


def test_photos_are_no_table() -> None:
    pytest.importorskip("sklearn")
    for target in catalogue("aggregate").values():
        assert not resolve(target)().__sklearn_tags__().input_tags.two_d_array
