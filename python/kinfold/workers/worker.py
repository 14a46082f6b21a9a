"""What every worker answers, wherever it lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import methodcaller
from typing import Any


class Ended(Exception):
    """A worker is no longer there: it was killed, or ran out of memory. The message says what is known of how."""


class Worker(ABC):
    """A thing that lives somewhere, and is asked by the names of its methods."""

    def __init__(self, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._make, self._arguments = make, arguments
        self.start(*arguments)

    def start(self, *arguments: Any) -> None:
        """Make the thing, anew where there was one; with other arguments than before where such are given."""
        self._arguments = arguments or self._arguments
        self.close()
        try:
            self._begin()
        except BaseException:
            self.close()  # there is nothing in it
            raise

    @property
    def pid(self) -> int | None:
        """Number of the process that it lives in, where it has one of its own on this machine."""
        return None

    @abstractmethod
    def _begin(self) -> None:
        """Make the thing. Raises what making it raises, and Ended."""

    @abstractmethod
    def ask(self, method: str, *arguments: Any) -> None:
        """Call a method of the thing; each call wants its ``answer`` before the next. Raises Ended."""

    @abstractmethod
    def answer(self) -> Any:
        """What the method returned. Raises what it raised, and Ended."""

    @abstractmethod
    def close(self) -> None:
        """Let it go."""


def tried(call: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
    """Whether a call went well, and what it returned or raised."""
    try:
        return True, call(*arguments)
    except Exception as error:
        return False, error


def asked(thing: Any, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """The same of a method of a thing."""
    return tried(methodcaller(method, *arguments), thing)


def made_of(outcome: tuple[bool, Any]) -> Any:
    """What a call returned; what it raised is raised."""
    well, value = outcome
    if not well:
        raise value
    return value
