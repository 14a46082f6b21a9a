"""A worker in a process of its own, spoken to through a pipe.

The process is started afresh (fork and exec), never forked off the running interpreter: whatever threads there are, no
lock is left held in it. It imports nothing of the program that started it, so that scripts need no guard of their main
part. It ends with the pipe.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import weakref
from multiprocessing.connection import Connection, Pipe
from typing import Any

from kinfold.workers.worker import Ended, Worker, asked, made_of, tried

_SERVE = "from kinfold.workers.process import serve; serve({})"
# How long a process that was told to end may take.
_PATIENCE = 5.0


class Process(Worker):
    """A thing in a process of its own."""

    _running: subprocess.Popen[bytes] | None = None
    _asked = 0

    def _begin(self) -> None:
        ours, theirs = Pipe()
        # As this process finds its modules.
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
        }
        self._pipe = ours
        with theirs:
            self._running = subprocess.Popen(
                [sys.executable, "-c", _SERVE.format(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        self._let_go = weakref.finalize(self, _end, self._running, ours)
        self._send((self._make, self._arguments))
        self.answer()

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return None if self._running is None else self._running.pid

    def ask(self, method: str, *arguments: Any) -> None:
        """Send the call."""
        self._send((method, arguments))

    def _send(self, message: Any) -> None:
        self._asked += 1
        # What cannot be pickled is an error of the caller's: nothing of it was sent.
        text = pickle.dumps((self._asked, message), protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._pipe.send_bytes(text)
        except (OSError, ValueError) as error:
            raise self._ended() from error

    def answer(self) -> Any:
        """Wait for what comes back; answers to calls that an interrupt left behind are passed over."""
        number, outcome = 0, (True, None)
        while number != self._asked:
            try:
                number, outcome = self._pipe.recv()
            except (EOFError, OSError) as error:
                raise self._ended() from error
        return made_of(outcome)

    def _ended(self) -> Ended:
        self._pipe.close()
        running = self._running
        if running is None:
            return Ended("closed")
        try:
            code = running.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()
            code = running.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return Ended(f"process {running.pid} ended {how}")

    def close(self) -> None:
        """End the process."""
        if self._running is not None:
            self._let_go()
            self._running = None


def _end(running: subprocess.Popen[bytes], pipe: Connection) -> None:
    pipe.close()  # it reads the end of the file
    try:
        running.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def serve(descriptor: int) -> None:
    """What the process does: make the thing that it is told of, then answer calls until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    pipe = Connection(descriptor)
    thing: Any = None
    while True:
        try:
            number, message = pipe.recv()
        except (EOFError, OSError):
            return
        if thing is None:
            make, arguments = message
            outcome = tried(make, *arguments)
            if outcome[0]:
                thing, outcome = outcome[1], (True, None)
        else:
            outcome = asked(thing, *message)
        _reply(pipe, number, outcome)


def _reply(pipe: Connection, number: int, outcome: tuple[bool, Any]) -> None:
    try:
        text = pickle.dumps((number, outcome), protocol=pickle.HIGHEST_PROTOCOL)
        if not outcome[0]:
            pickle.loads(text)  # some exceptions come apart only when they are read
    except Exception as error:
        lost = RuntimeError(f"what came of it cannot be sent: {outcome[1]!r} ({error})")
        text = pickle.dumps((number, (False, lost)))
    pipe.send_bytes(text)
