"""The first of equal rows, against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base import copies
from kinfold.base.copies import first_copies


@pytest.mark.parametrize("n", [0, 1, 7, 40_000])
@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("values", [2, 1000])
def test_against_a_dictionary(n: int, dim: int, values: int, rng: np.random.Generator) -> None:
    x = rng.integers(0, values, (n, dim)).astype(np.float32)
    seen: dict[tuple[float, ...], int] = {}
    expected = [seen.setdefault(tuple(row), at) for at, row in enumerate(x.tolist())]
    assert first_copies(x).tolist() == expected


def test_zeros_are_equal_and_hashes_may_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([[0, 1], [2, 1], [-0.0, 1], [2, 1], [3, 3]], np.float32)
    assert first_copies(x).tolist() == [0, 1, 0, 1, 4]
    monkeypatch.setattr(copies, "_hash", lambda rows: np.zeros(len(rows), np.uint64))
    assert first_copies(x).tolist() == [0, 1, 0, 1, 4]
