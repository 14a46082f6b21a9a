"""Eigenvalue allocation: published and hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.quantize.allocation import allocate, subspace_sizes

VALUES = [16, 8, 4, 2, 1, 0.5]


@pytest.mark.parametrize(
    "m, expected", [(2, [{0, 3, 4}, {1, 2, 5}]), (3, [{0, 5}, {1, 4}, {2, 3}])]
)
def test_products_are_balanced(m: int, expected: list[set[int]]) -> None:
    assert [set(bucket.tolist()) for bucket in allocate(VALUES, m)] == expected


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e6])
def test_scale_does_not_matter(scale: float) -> None:
    buckets = allocate(np.array(VALUES) * scale, 2)
    assert [set(b.tolist()) for b in buckets] == [{0, 3, 4}, {1, 2, 5}]


@pytest.mark.parametrize("d, m", [(1, 1), (13, 4), (128, 16), (10, 4), (7, 7)])
def test_every_dimension_once(d: int, m: int, rng: np.random.Generator) -> None:
    buckets = allocate(rng.random(d), m)
    assert sorted(np.concatenate(buckets).tolist()) == list(range(d))
    assert [len(b) for b in buckets] == subspace_sizes(d, m)


def test_zero_eigenvalues_have_a_place() -> None:
    assert sorted(np.concatenate(allocate([0, 0, 3, 0], 2)).tolist()) == [0, 1, 2, 3]
    assert len(allocate(np.zeros(4), 2)) == 2


@pytest.mark.parametrize("values", [[], [-1.0], [np.nan], [[1.0]]])
def test_bad_eigenvalues(values: list[float]) -> None:
    with pytest.raises(ValueError, match="eigenvalues: expected"):
        allocate(values, 1)
