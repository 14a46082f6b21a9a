"""A worker in this process: asked as the others are, it does its work when the answer is fetched."""

from __future__ import annotations

from typing import Any

from kinfold.workers.worker import Ended, Worker


class Here(Worker):
    """A thing of this process."""

    _thing: Any = None

    def _begin(self) -> None:
        self._thing = self._make(*self._arguments)

    def ask(self, method: str, *arguments: Any) -> None:
        """Keep the call."""
        self._call = method, arguments

    def answer(self) -> Any:
        """Make the call."""
        if self._thing is None:
            raise Ended("closed")
        method, arguments = self._call
        return getattr(self._thing, method)(*arguments)

    def close(self) -> None:
        """Let the thing go."""
        self._thing = None
