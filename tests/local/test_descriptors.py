"""Descriptors by dtype: histograms become RootSIFT, int8 the directions that they were rounded from."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.local.descriptors import compared, signed
from kinfold.local.match import codes_of
from kinfold.local.sift import root_sift


def directions(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = rng.standard_normal((n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("dim", [64, 128])
def test_directions_come_back_to_within_their_rounding(rng: np.random.Generator, dim: int) -> None:
    x = directions(rng, 50, dim)
    kept = signed(3.5 * x)
    assert kept.dtype == np.int8
    again = compared(kept)
    assert again.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1, atol=1e-6)
    # Half a step of 1/255 in each dimension.
    assert np.linalg.norm(again - x, axis=1).max() < 0.5 / 255 * dim**0.5 * 1.2


def test_what_no_byte_holds_is_cut_off() -> None:
    x = np.zeros((2, 4), np.float32)
    x[0, 0], x[1, 1] = 1, -1
    np.testing.assert_array_equal(signed(x), [[127, 0, 0, 0], [0, -128, 0, 0]])


def test_histograms_are_compared_as_rootsift(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (7, 128), dtype=np.uint8)
    np.testing.assert_array_equal(compared(x), root_sift(x))


def test_zeros_stay_zeros_and_none_is_none() -> None:
    assert not compared(np.zeros((2, 8), np.int8)).any()
    assert compared(np.empty((0, 64), np.int8)).shape == (0, 64)
    assert signed(np.empty((0, 64), np.float32)).shape == (0, 64)


def test_matching_sees_the_same_bytes_before_and_after_keeping(rng: np.random.Generator) -> None:
    x = directions(rng, 40, 64)
    np.testing.assert_array_equal(codes_of(signed(x)), codes_of(x, root=False))
