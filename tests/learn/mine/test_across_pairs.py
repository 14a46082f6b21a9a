from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kinfold.learn.mine.across_pairs import AcrossPairs


def drawn(rng, n: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(groups, size=n)
    return rng.standard_normal((2 * n, 5)).astype(np.float32), labels[:, None] != labels


@pytest.mark.parametrize("k", [1, 4, 50])
def test_hardest_by_a_loop(rng, k) -> None:
    vectors, others = drawn(rng, 12, 3)
    found = AcrossPairs(k)(torch.from_numpy(vectors), others)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = []
    for anchor in range(24):
        allowed = [row for row in range(24) if others[anchor % 12, row % 12]]
        allowed.sort(key=lambda row: -float(unit[anchor] @ unit[row]))
        expected += [(anchor, (anchor + 12) % 24, row) for row in sorted(allowed[:k])]
    assert list(zip(*(part.tolist() for part in found))) == expected


def test_random_ones_are_all_and_only_those_allowed(rng) -> None:
    vectors, others = drawn(rng, 10, 3)
    torch.manual_seed(0)
    miner = AcrossPairs(2, hardest=False)
    seen = set()
    for _ in range(200):
        found = miner(vectors, others)
        assert (others[found.anchor % 10, found.negative % 10]).all()
        assert (found.positive == (found.anchor + 10) % 20).all()
        assert np.bincount(found.anchor).max() <= 2
        seen |= set(zip(found.anchor.tolist(), found.negative.tolist()))
    assert len(seen) == 4 * others.sum()
    torch.manual_seed(5)
    first = miner(vectors, others)
    torch.manual_seed(5)
    assert all((a == b).all() for a, b in zip(first, miner(vectors, others)))


def test_none_where_all_show_one_thing(rng) -> None:
    found = AcrossPairs()(rng.standard_normal((6, 4)), np.zeros((3, 3), bool))
    assert [len(part) for part in found] == [0, 0, 0]


def test_arguments(rng) -> None:
    with pytest.raises(ValueError, match="others: expected flags of 3 pairs"):
        AcrossPairs()(rng.standard_normal((6, 4)), np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="k"):
        AcrossPairs(0)
