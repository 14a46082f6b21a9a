from __future__ import annotations

import numpy as np
import pytest

from kinfold.transform.normalize import l2_normalize, power_normalize


def test_l2(rng) -> None:
    x = rng.standard_normal((50, 7)).astype(np.float32)
    assert np.allclose(l2_normalize(x), x / np.linalg.norm(x, axis=1, keepdims=True), atol=1e-7)
    assert l2_normalize(x[3]).shape == (7,)
    assert (l2_normalize(x[3]) == l2_normalize(x)[3]).all()
    assert l2_normalize(np.zeros((0, 3))).shape == (0, 3)


def test_l2_of_zero_tiny_and_huge_vectors() -> None:
    assert (l2_normalize(np.zeros((2, 3))) == 0).all()
    for size in (1e-40, 1e-20, 1e30, 3e38):
        unit = l2_normalize(np.full((1, 4), size, np.float32))
        assert np.allclose(unit, 0.5, rtol=1e-4)


def test_input_is_left_alone() -> None:
    x = np.full((2, 2), 4, np.float32)
    l2_normalize(x)
    power_normalize(x)
    assert (x == 4).all()


def test_power(rng) -> None:
    x = rng.standard_normal((20, 5)).astype(np.float32)
    for exponent in (0.5, 0.3, 1.0):
        assert np.allclose(
            power_normalize(x, exponent), np.sign(x) * np.abs(x) ** exponent, atol=1e-6
        )
    assert (power_normalize([0.0, -2.0, 3.0], 0) == [0, -1, 1]).all()
    assert (power_normalize(x, 1) == x).all()


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 2)), [[np.nan]], "text", np.zeros((3, 0))])
def test_bad_vectors(bad) -> None:
    for function in (l2_normalize, power_normalize):
        with pytest.raises(ValueError, match="x: expected"):
            function(bad)


@pytest.mark.parametrize("exponent", [-0.1, 1.1, np.nan, "half"])
def test_bad_exponent(exponent) -> None:
    with pytest.raises(ValueError, match="exponent"):
        power_normalize(np.ones((1, 2)), exponent)
