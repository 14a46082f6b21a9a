"""Bounds on the number of threads."""

from __future__ import annotations

import threading
import time

import pytest

from kinfold.base.threads import get_threads, in_threads, set_threads, use_threads


def test_bounds_hold_until_restored() -> None:
    default = get_threads()
    set_threads(5)
    assert get_threads() == 5
    set_threads(0)
    assert get_threads() == default


def test_a_block_restores_what_was_before_also_after_an_error() -> None:
    set_threads(3)
    try:
        with pytest.raises(KeyError), use_threads(1):
            assert get_threads() == 1
            raise KeyError
        assert get_threads() == 3
    finally:
        set_threads(0)


def test_work_in_threads_keeps_its_order_and_its_errors(threads: int) -> None:
    seen: set[int] = set()

    def slow(item: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.001 * (item % 3))
        return item * item

    assert in_threads(slow, iter(range(20))) == [item * item for item in range(20)]
    assert threading.get_ident() not in seen and len(seen) <= threads
    assert in_threads(slow, []) == []
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 // item, [1, 0, 2])


@pytest.mark.parametrize("bad", [-1, 1025, 1.5, "2", None, True])
def test_bad_numbers_of_threads(bad) -> None:
    with pytest.raises(ValueError, match="^threads: expected"):
        set_threads(bad)
