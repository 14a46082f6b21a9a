"""State taken from a file is checked before it is believed."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.base.state import (
    add_prefix,
    check_only,
    check_range,
    check_starts,
    strip_prefix,
    take,
    take_param,
)


def test_prefixes_undo_each_other() -> None:
    arrays = {"centroids": np.zeros(2), "codes": np.ones(3)}
    stored = add_prefix("coarse", arrays) | add_prefix("coarser", {"centroids": np.zeros(5)})
    assert set(stored) == {"coarse.centroids", "coarse.codes", "coarser.centroids"}
    assert strip_prefix("coarse", stored).keys() == arrays.keys()
    assert strip_prefix("coarse", stored)["codes"] is arrays["codes"]


def test_take_adopts_without_copying() -> None:
    array = np.zeros((4, 3), np.float32)
    assert take({"x": array}, "x", np.float32, (None, 3)) is array


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(np.float64, (4, 3)), (np.float32, (3, 3)), (np.float32, (4,)), (np.float32, (None, None, 1))],
)
def test_take_refuses_another_type_or_shape(dtype, shape) -> None:
    with pytest.raises(FileFormatError, match="array 'x': expected"):
        take({"x": np.zeros((4, 3), np.float32)}, "x", dtype, shape)


def test_take_refuses_another_byte_order() -> None:
    with pytest.raises(FileFormatError, match="array 'x'"):
        take({"x": np.zeros(2, ">f4")}, "x", np.float32, (2,))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(FileFormatError, match="array 'x' is missing"):
        take({}, "x", np.float32, (None,))
    with pytest.raises(FileFormatError, match="parameter 'k' is missing"):
        take_param({}, "k", int)


@pytest.mark.parametrize(
    ("value", "kind"), [("3", int), (True, int), (3.0, int), (1, bool), (None, str)]
)
def test_parameters_of_another_type(value, kind) -> None:
    with pytest.raises(FileFormatError, match="parameter 'k'"):
        take_param({"k": value}, "k", kind)


def test_parameters() -> None:
    assert take_param({"k": 3}, "k", int) == 3
    assert take_param({"k": 3}, "k", (int, float)) == 3
    assert take_param({"k": False}, "k", bool) is False


def test_what_is_unknown_is_an_error() -> None:
    check_only({"a": 1}, {"a", "b"}, "parameters")
    with pytest.raises(FileFormatError, match="unknown parameters: c, d"):
        check_only({"d": 1, "a": 1, "c": 1}, {"a", "b"}, "parameters")


def test_good_starts() -> None:
    check_starts(np.array([0, 0, 3, 5]), 5, "starts")
    check_starts(np.array([0]), 0, "starts")


@pytest.mark.parametrize(
    "starts", [[], [1, 5], [0, 4], [0, 6], [0, 4, 3, 5], [0, -1, 5], [0, 2**62, 5]]
)
def test_bad_starts(starts) -> None:
    with pytest.raises(FileFormatError, match="array 'starts'"):
        check_starts(np.array(starts, np.int64), 5, "starts")


@pytest.mark.parametrize(
    ("starts", "dtype"),
    [([0, 7, 3, 5], np.uint64), ([0, 2**63 - 1, -(2**63), -1, 5], np.int64)],
)
def test_starts_that_seem_to_rise_because_differences_wrap(starts, dtype) -> None:
    assert (np.diff(np.array(starts, dtype)) >= 0).all()
    with pytest.raises(FileFormatError, match="array 'starts'"):
        check_starts(np.array(starts, dtype), 5, "starts")


def test_positions() -> None:
    check_range(np.array([0, 4]), 5, "ids")
    check_range(np.array([], np.int64), 0, "ids")
    for bad in ([5], [-1], [0, 2**40]):
        with pytest.raises(FileFormatError, match="array 'ids': expected positions from 0 to 4"):
            check_range(np.array(bad), 5, "ids")
