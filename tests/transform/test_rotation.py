"""Linear maps: orthonormal ones keep distances; states; odd input."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf


@pytest.mark.parametrize("dim", [1, 5, 12])
def test_random_rows_are_orthonormal(dim: int, rng: np.random.Generator) -> None:
    rotation = kf.Rotation.random(12, dim, seed=3)
    np.testing.assert_allclose(rotation.matrix @ rotation.matrix.T, np.eye(dim), atol=1e-6)
    np.testing.assert_array_equal(kf.Rotation.random(12, dim, seed=3).matrix, rotation.matrix)
    assert not np.array_equal(kf.Rotation.random(12, dim, seed=4).matrix, rotation.matrix)
    x = rng.standard_normal((6, 12)).astype(np.float32)
    y = rotation.transform(x)
    np.testing.assert_allclose(rotation.transform(rotation.inverse_transform(y)), y, atol=1e-5)
    if dim == 12:
        np.testing.assert_allclose(rotation.inverse_transform(y), x, atol=1e-5)


def test_any_matrix_and_bias(rng: np.random.Generator) -> None:
    matrix, bias = rng.standard_normal((3, 5)), rng.standard_normal(3)
    rotation = kf.Rotation(matrix, bias)
    x = rng.standard_normal(5).astype(np.float32)
    np.testing.assert_allclose(rotation.transform(x), matrix @ x + bias, rtol=1e-5, atol=1e-5)
    y = rotation.transform(x)
    np.testing.assert_allclose(rotation.transform(rotation.inverse_transform(y)), y, atol=1e-4)


def test_one_by_one_as_in_a_batch(level: str, rng: np.random.Generator) -> None:
    rotation = kf.Rotation.random(37, 20)
    x = rng.standard_normal((130, 37)).astype(np.float32)
    together = rotation.transform(x)
    np.testing.assert_array_equal(np.stack([rotation.transform(row) for row in x]), together)


def test_back_one_by_one_as_in_a_batch(level: str, rng: np.random.Generator) -> None:
    rotation = kf.Rotation(kf.Rotation.random(70, 40).matrix, rng.standard_normal(40))
    y = rng.standard_normal((50, 40)).astype(np.float32)
    back = rotation.inverse_transform(y)
    np.testing.assert_array_equal(back, [rotation.inverse_transform(row) for row in y])
    exact = (y.astype(np.float64) - rotation.bias) @ rotation.matrix.astype(np.float64)
    np.testing.assert_allclose(back, exact, rtol=1e-5, atol=1e-5)


def test_state(rng: np.random.Generator) -> None:
    rotation = kf.Rotation(rng.standard_normal((2, 4)), [1, 2])
    again = kf.Rotation.from_state(rotation.params(), rotation.arrays())
    np.testing.assert_array_equal(again.transform(np.eye(4)), rotation.transform(np.eye(4)))
    bad = rotation.arrays() | {"matrix": np.full((2, 4), np.nan, np.float32)}
    with pytest.raises(kf.FileFormatError, match="matrix"):
        kf.Rotation.from_state({}, bad)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: kf.Rotation(np.eye(3), [1, 2]), "bias: expected"),
        (lambda: kf.Rotation(np.eye(3), np.eye(3)), "bias: expected"),
        (lambda: kf.Rotation([1, 2, 3]), "matrix: expected"),
        (lambda: kf.Rotation.random(4, 5), "dim: expected"),
        (lambda: kf.Rotation(np.eye(3)).transform(np.eye(4)), "x: expected vectors of dimension 3"),
    ],
)
def test_bad_input(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
