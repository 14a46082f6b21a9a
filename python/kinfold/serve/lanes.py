"""Bounded queues in front of threads: what is too much is refused at once, what takes too long is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from kinfold.serve.errors import Refused

T = TypeVar("T")
# When what this thread works on has to be done, by ``time.monotonic``.
_deadline: ContextVar[float] = ContextVar("deadline")


def seconds_left() -> float:
    """How long the work that this thread does may still take."""
    return max(0.0, _deadline.get(time.monotonic() + 60.0) - time.monotonic())


class Lane:
    """Work of one kind.

    threads : that do it; waiting : that may wait for them; seconds : from its coming to its answer
    """

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        self.name, self.seconds = name, seconds
        self._most, self.held, self.refused = threads + waiting, 0, 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """The work's result. Raises Refused: 429 where too much waits, 504 where it takes too long.

        A thread cannot be stopped: what is too slow keeps its place until it is done.
        """
        if self.held >= self._most:
            self.refused += 1
            raise Refused(429, "too many requests wait for an answer; come again", wait=1)
        deadline = time.monotonic() + self.seconds

        def bounded() -> T:
            if time.monotonic() >= deadline:  # nobody waits for it any more
                raise _too_slow(self.seconds)
            _deadline.set(deadline)
            return work(*arguments)

        self.held += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, bounded)
        future.add_done_callback(self._left)
        done, _ = await asyncio.wait({future}, timeout=self.seconds)
        if not done:
            raise _too_slow(self.seconds)
        return future.result()

    def _left(self, future: asyncio.Future[Any]) -> None:
        self.held -= 1
        if not future.cancelled():
            future.exception()  # seen, whoever has gone

    def close(self) -> None:
        """Wait for what is being done; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _too_slow(seconds: float) -> Refused:
    return Refused(504, f"no answer within {seconds:g} seconds")
