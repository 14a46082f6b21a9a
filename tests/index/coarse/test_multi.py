"""The multi-sequence algorithm against a full sort of all sums."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.index.coarse.multi import multi_sequence


def ranked(left: np.ndarray, right: np.ndarray) -> list[tuple[int, int]]:
    """All pairs by sum, then by the rank of the left, then of the right."""
    i, j = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    sums = left[i].astype(np.float32)[:, None] + right[j].astype(np.float32)[None]
    order = np.argsort(sums.ravel(), kind="stable")
    return [(int(i[at // len(j)]), int(j[at % len(j)])) for at in order]


def test_published_example() -> None:
    i, j, sums = multi_sequence([0, 1, 4], [0, 2, 3])
    assert list(zip(i.tolist(), j.tolist())) == [
        (0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2),
    ]  # fmt: skip
    assert sums.tolist() == [0, 1, 2, 3, 3, 4, 4, 6, 7]


@pytest.mark.parametrize("n, m", [(1, 1), (1, 9), (9, 1), (7, 12), (64, 64), (130, 40)])
@pytest.mark.parametrize("kind", ["random", "ties", "equal", "negative"])
def test_every_pair_once_in_order(n: int, m: int, kind: str, rng: np.random.Generator) -> None:
    left, right = rng.random(n).astype(np.float32), rng.random(m).astype(np.float32)
    if kind == "ties":
        left, right = (rng.integers(0, 4, size).astype(np.float32) for size in (n, m))
    elif kind == "equal":
        left, right = np.ones(n, np.float32), np.ones(m, np.float32)
    elif kind == "negative":
        left, right = -left * 100, right
    expected = ranked(left, right)
    i, j, sums = multi_sequence(left, right)
    assert list(zip(i.tolist(), j.tolist())) == expected
    np.testing.assert_array_equal(sums, left[i] + right[j])
    assert (np.diff(sums) >= 0).all()
    few = multi_sequence(left, right, most=5)
    assert list(zip(few[0].tolist(), few[1].tolist())) == expected[:5]


def test_nothing() -> None:
    assert all(len(part) == 0 for part in multi_sequence([], [1.0]))
    assert all(len(part) == 0 for part in multi_sequence([1.0], [2.0], most=0))


@pytest.mark.parametrize(
    "left, right, words",
    [
        ([[1.0]], [1.0], "left: expected"),
        ([1.0], [np.nan], "right: expected"),
        ([1.0], ["a"], "right: "),
    ],
)
def test_bad_input(left: list, right: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        multi_sequence(left, right)
