"""Queues are bounded: too much is refused at once, too slow is told, nothing is lost."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from kinfold.serve.errors import Refused
from kinfold.serve.lanes import Lane, seconds_left


def test_results_and_errors_come_back() -> None:
    async def asked() -> None:
        lane = Lane("x", 2, 2, 10)
        assert await lane.run(lambda a, b: a + b, 1, 2) == 3
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        assert 9 < await lane.run(seconds_left) <= 10
        assert lane.held == 0
        lane.close()

    asyncio.run(asked())


def test_what_is_too_much_is_refused_and_the_rest_answered() -> None:
    async def asked() -> None:
        lane, gate = Lane("x", 1, 2, 10), threading.Event()
        held = [asyncio.create_task(lane.run(gate.wait, 10)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused) as caught:
            await lane.run(int)
        assert caught.value.status == 429 and caught.value.wait
        gate.set()
        assert await asyncio.gather(*held) == [True] * 3
        assert await lane.run(int) == 0 and lane.refused == 1
        lane.close()

    asyncio.run(asked())


def test_what_is_too_slow_is_told_and_keeps_its_place_until_it_is_done() -> None:
    ran = []

    async def asked() -> None:
        lane, gate = Lane("x", 1, 1, 0.2), threading.Event()
        slow = asyncio.create_task(lane.run(gate.wait, 10))
        late = asyncio.create_task(lane.run(ran.append, 1))
        for task in (slow, late):
            with pytest.raises(Refused) as caught:
                await task
            assert caught.value.status == 504
        assert lane.held == 2
        with pytest.raises(Refused, match="wait"):
            await lane.run(int)
        gate.set()
        due = time.monotonic() + 10
        while lane.held and time.monotonic() < due:
            await asyncio.sleep(0.01)
        assert (
            lane.held == 0 and ran == []
        )  # nobody waited for the second any more: it was not begun
        lane.close()

    asyncio.run(asked())
