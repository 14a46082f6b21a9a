"""What every estimator of the room is asked."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import kinfold as kf


def distance_up_to_signs(a: Any, b: Any) -> float:
    """The largest difference of coordinates beside the largest coordinate."""
    signs = np.sign((a * b).sum(axis=0))
    return float(np.abs(a - b * signs).max() / np.abs(b).max())


def check_with_scikit_learn(model: Any, **expected: str) -> None:
    """Its own tests; `expected` names those that fail, and why."""
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    checks.check_estimator(model, expected_failed_checks=expected)


def check_saved(model: Any, x: Any, tmp_path: Any) -> None:
    """Saved, mapped, pickled: the same answers to the bit; and nothing before it is fitted."""
    path = tmp_path / "model.kin"
    kf.save(model, path)
    for again in (kf.load(path), kf.load(path, mmap=True), pickle.loads(pickle.dumps(model))):
        assert again.get_params() == model.get_params()
        np.testing.assert_array_equal(again.transform(x), model.transform(x))
    with pytest.raises(kf.NotTrainedError, match="is not fitted"):
        type(model)().transform(x)
    with pytest.raises(kf.NotTrainedError, match="is not fitted"):
        kf.save(type(model)(), path)
    params, arrays = model.params(), model.arrays()
    for name in params:
        fewer = {key: value for key, value in params.items() if key != name}
        with pytest.raises(kf.FileFormatError, match=name):
            type(model).from_state(fewer, arrays)
        with pytest.raises(kf.FileFormatError):
            type(model).from_state({**params, name: {"not": "this"}}, arrays)
    for name, array in arrays.items():
        fewer = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(kf.FileFormatError, match=name):
            type(model).from_state(params, fewer)
        with pytest.raises(kf.FileFormatError):
            type(model).from_state(params, {**arrays, name: array[:0]})
        with pytest.raises(kf.FileFormatError, match=name):
            type(model).from_state(params, {**arrays, name: array.astype(np.int8)})
