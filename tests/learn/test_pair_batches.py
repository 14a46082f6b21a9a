from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.pair_batches import PairBatches

N = 40
RING = np.stack([np.arange(N), (np.arange(N) + 1) % N], axis=1)


def test_similar_pairs_are_those_that_were_given_and_others_are_not() -> None:
    similar = {frozenset(pair) for pair in RING.tolist()}
    anchors = 0
    for epoch in range(3):
        for batch in PairBatches(RING, N, batch=8, dissimilar=6)(epoch):
            near, far = ([frozenset(p) for p in batch.rows[x].tolist()] for x in batch[1:])
            assert {*near} <= similar and not {*far} & similar
            assert min(map(len, far)) == 2, "no picture beside itself"
            assert len(far) <= 6 * len(near) and len(far) > 4 * len(near)
            assert len({*batch.rows.tolist()}) == len(batch.rows)
            anchors += len(near)
    assert anchors == 3 * N, "each with the next, which was given for it"


def test_partners_are_drawn_where_there_are_many() -> None:
    star = np.stack([np.zeros(N - 1, int), np.arange(1, N)], axis=1)
    seen: set[int] = set()
    for epoch in range(30):
        for batch in PairBatches(star, N, batch=N, partners=3)(epoch):
            pairs = batch.rows[batch.near]
            middle = pairs[pairs[:, 0] == 0, 1]
            assert len(middle) == len({*middle.tolist()}) == 3
            seen |= {*middle.tolist()}
            assert len(pairs) == 3
    assert len(seen) > 30


def test_epochs_depend_on_the_seed_and_their_number_alone() -> None:
    def rows(seed: int, epoch: int) -> list[int]:
        return [r for b in PairBatches(RING, N, batch=8, seed=seed)(epoch) for r in b.rows.tolist()]

    assert rows(1, 2) == rows(1, 2)
    assert rows(1, 2) != rows(1, 3) and rows(1, 2) != rows(2, 2)


def test_pictures_without_partners_are_passed_over_and_pairs_must_be_some() -> None:
    (batch,) = PairBatches([[1, 0], [5, 5]], 9)(0)
    assert batch.rows.tolist() == [0, 1] and len(batch.far) == 0
    for none in (np.empty((0, 2), int), [[3, 3]]):
        with pytest.raises(ValueError, match="pairs: expected at least one pair of different"):
            PairBatches(none, 9)
    with pytest.raises(ValueError, match="pairs: expected rows below 9, got 9"):
        PairBatches([[0, 9]], 9)
