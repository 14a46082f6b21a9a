"""What workers hold in these tests; on their path, since processes import it by name."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any


class Counter:
    """Adds up."""

    def __init__(self, start: int) -> None:
        if start < 0:
            raise ValueError("start: expected a number from 0")
        self.total = start

    def add(self, number: int) -> int:
        """The total with a number more."""
        self.total += number
        return self.total

    def fail(self) -> None:
        """Raise what says where it was."""
        raise LookupError(f"in {os.getpid()}")

    def lock(self) -> Any:
        """What cannot be sent."""
        return threading.Lock()

    def die(self) -> None:
        """Kill the process."""
        os.kill(os.getpid(), signal.SIGKILL)
