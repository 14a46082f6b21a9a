"""Classes as they are given, accuracy, and the parts that all classifiers use."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.classify.estimator import Classifier, as_labels, nearest, trained


class Says(Classifier):
    """Predicts what it is given."""

    def predict(self, X):
        return np.asarray(X)


def test_accuracy_and_its_weights() -> None:
    said, right = [0, 1, 1, 0], [0, 1, 0, 0]
    assert Says().score(said, right) == 0.75
    assert Says().score(said, right, [1, 1, 6, 0]) == 0.25
    assert Says().score(said, right, [1e300, 1e300, 1e300, 1e300]) == 0.75
    for wrong in ([1, 1], [1, 1, -1, 1], [0, 0, 0, 0], [1, np.inf, 1, 1]):
        with pytest.raises(ValueError, match="sample_weight: expected"):
            Says().score(said, right, wrong)


def test_positions_among_sorted_classes() -> None:
    model = Says()
    codes = model._learn_classes(["b", "a", "b", "c"], 4)
    np.testing.assert_array_equal(codes, [1, 0, 1, 2])
    assert codes.dtype == np.int64 and list(model.classes_) == ["a", "b", "c"]


@pytest.mark.parametrize("y", [[1, 2], [True, False], ["a", "b"], [1.0, 2.0], [[1], [2]]])
def test_what_may_be_a_class(y) -> None:
    np.testing.assert_array_equal(as_labels(y, 2), np.ravel(y))


@pytest.mark.parametrize("y", [None, [1], [[1, 2], [3, 4]], [0.5, 1], [np.nan, 1], [1j, 2]])
def test_what_may_not(y) -> None:
    with pytest.raises(ValueError, match="y: expected"):
        as_labels(y, 2)


def test_lists_are_visited_until_there_are_k(rng: np.random.Generator) -> None:
    x = rng.standard_normal((400, 6)).astype(np.float32)
    index = trained("IVF20,Flat", x, "l2", 0)
    assert len(index) == 0
    index.add(x)
    assert (nearest(index, x[:5], 300, {"nprobe": 1}).ids >= 0).all()
    exact = kf.FlatIndex(6)
    exact.add(x)
    np.testing.assert_array_equal(nearest(exact, x[:5], 3, None).ids, exact.search(x[:5], 3).ids)
    with pytest.raises(ValueError, match="options: expected nprobe, .*, got k"):
        nearest(index, x[:5], 3, {"k": 2})
