"""Arrays that grow leave what readers hold as it is."""

from __future__ import annotations

import numpy as np

from kinfold.store.buffer import Buffer


def test_readers_of_older_views_see_what_they_saw() -> None:
    buffer, array, views = Buffer(), np.zeros((0, 2), np.float32), []
    for step in range(9):
        array = buffer.extended(array, np.full((3, 2), step, np.float32))
        views.append(array)
    for step, view in enumerate(views):
        assert view[:, 0].tolist() == [s for s in range(step + 1) for _ in range(3)]


def test_room_is_used_before_more_is_taken() -> None:
    buffer = Buffer()
    first = buffer.extended(np.zeros(0, np.int64), np.arange(8))
    second = buffer.extended(first, np.arange(1))
    third = buffer.extended(second, np.arange(7))
    assert second.base is not first.base and third.base is second.base and len(third.base) == 16


def test_two_successors_of_one_view_are_told_apart_by_the_later() -> None:
    """What another array holds is copied: only the buffer's own views grow in place."""
    buffer, foreign = Buffer(), np.arange(4)
    grown = buffer.extended(foreign, np.array([9]))
    grown[0] = 7
    assert foreign[0] == 0 and grown.tolist() == [7, 1, 2, 3, 9]
