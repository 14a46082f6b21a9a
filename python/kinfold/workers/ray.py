"""A worker as an actor of Ray: on this machine, or any that Ray reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kinfold.base.extras import require
from kinfold.workers.worker import Ended, Worker, asked, made_of, tried


class Actor(Worker):
    """A thing that lives in an actor. Where Ray has not been started, it is started on this machine."""

    _actor: Any = None
    _called: Any = None

    def _begin(self) -> None:
        ray = require("ray")
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        self._actor = ray.remote(num_cpus=0)(_Holder).remote()
        self._called = self._actor.make.remote(self._make, self._arguments)
        self.answer()

    @property
    def pid(self) -> int | None:
        """Number of the actor's process, on its machine."""
        pid: int = require("ray").get(self._actor.pid.remote())
        return pid

    def ask(self, method: str, *arguments: Any) -> None:
        """Send the call."""
        if self._actor is None:
            raise Ended("closed")
        self._called = self._actor.call.remote(method, arguments)

    def answer(self) -> Any:
        """Wait for what comes back."""
        if self._actor is None:
            raise Ended("closed")
        ray = require("ray")
        try:
            outcome = ray.get(self._called)
        except ray.exceptions.RayActorError as error:
            raise Ended(f"the actor ended: {str(error).splitlines()[0]}") from error
        return made_of(outcome)

    def close(self) -> None:
        """End the actor."""
        if self._actor is not None:
            require("ray").kill(self._actor)
            self._actor = None


class _Holder:
    """What an actor is: the thing, and a way to ask it."""

    def make(self, make: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        outcome = tried(make, *arguments)
        if outcome[0]:
            self.thing, outcome = outcome[1], (True, None)
        return outcome

    def call(self, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        return asked(self.thing, method, arguments)

    def pid(self) -> int:
        import os

        return os.getpid()
