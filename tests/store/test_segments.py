"""Segments fall in size, lose what was removed, and hold what came."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kinfold.store.keyed import Keyed
from kinfold.store.segments import compacted, settled


class Joined:
    """Brings parts of up to so many rows together, and counts the rows that it moves."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.most, self.moved = most, 0

    def merged(self, parts: Sequence[Keyed]) -> Keyed:
        ids = np.concatenate([part.living_ids() for part in parts])
        self.moved += len(ids)
        return Keyed(ids)

    def fits(self, parts: Sequence[Keyed]) -> bool:
        return sum(part.living for part in parts) <= self.most


def of(*sizes: int) -> list[Keyed]:
    ends = np.cumsum([0, *sizes])
    return [Keyed(np.arange(a, b)) for a, b in itertools.pairwise(ends)]


def test_each_is_more_than_twice_the_next() -> None:
    assert [len(s) for s in settled(of(8, 4, 2, 1), Joined())] == [8, 4, 2, 1]
    assert [len(s) for s in settled(of(8, 4, 2, 2), Joined())] == [16]
    assert [len(s) for s in settled(of(9, 1, 1), Joined())] == [9, 2]
    assert settled(of(2, 3), Joined())[0].ids.tolist() == [0, 1, 2, 3, 4]


def test_additions_move_a_row_log_n_times() -> None:
    packing, kept = Joined(), ()
    for part in of(*[1] * 512):
        kept = settled([*kept, part], packing)
    assert sorted(np.concatenate([s.ids for s in kept]).tolist()) == list(range(512))
    assert packing.moved <= 512 * 10


def test_what_does_not_fit_stays_apart() -> None:
    assert [len(s) for s in settled(of(4, 4, 2, 2), Joined(5))] == [4, 4, 4]
    assert [len(s) for s in compacted(of(3, 2, 4, 1, 1), Joined(5))] == [5, 5, 1]


def test_what_was_removed_is_packed_away_beyond_a_quarter() -> None:
    few, many, none = (part.without(rows) for part, rows in zip(of(8, 4, 2), ([0], [0, 1], [0, 1])))
    kept = settled([few, many, none], Joined())
    assert kept[0] is few and [(len(s), s.living) for s in kept] == [(8, 7), (2, 2)]
    assert [(len(s), s.living) for s in compacted([few, many, none], Joined())] == [(9, 9)]
    (whole,) = of(3)
    assert compacted([whole], Joined()) == (whole,) and compacted([none], Joined()) == ()
