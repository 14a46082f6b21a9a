"""Processes that decode photos: whatever a file does to its decoder, the server stays, and none takes too long.

Each works on one photo at a time. One that takes too long, or that its photo killed, is replaced.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from kinfold.base.errors import ImageError
from kinfold.images.decode import Decoded, decode, thumbnail_jpeg

# Bytes that decoding takes for each pixel at most, and what the libraries take themselves.
_BYTES_OF_A_PIXEL, _LIBRARIES = 24, 6 << 30


class Decoder:
    """Decodes in processes of its own.

    workers : photos at once
    seconds : for one of them
    pixels : that one may claim which was sent
    """

    def __init__(self, workers: int, seconds: float, pixels: int) -> None:
        self._seconds, self._pixels = seconds, pixels
        self._free: LifoQueue[_Worker] = LifoQueue()
        self._workers = [_Worker(pixels) for _ in range(workers)]
        for worker in self._workers:
            self._free.put(worker)
        # The one that is asked first; others start when they are needed, and leave the processor to the first answer.
        self._workers[-1].start()

    def decoded(self, source: bytes | Path, max_side: int | None) -> Decoded:
        """A photo's pixels, see ``images.decode``. Raises ImageError."""
        found: Decoded = self._asked("decode", source, max_side)
        return found

    def thumbnail(self, source: bytes | Path, side: int) -> bytes:
        """A JPEG file that is no larger, of pixels alone: nothing that the file said besides. Raises ImageError."""
        made: bytes = self._asked("thumbnail", source, side)
        return made

    def _asked(self, *job: Any) -> Any:
        try:
            worker = self._free.get(timeout=self._seconds)
        except Empty:
            raise ImageError("no decoder was free in time", "decoder") from None
        try:
            return worker.ask(job, self._seconds)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.end()


class _Worker:
    """One process, started when it is first needed, and again after it had to be ended."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._process: Any = None

    def start(self) -> None:
        # Neither forked, for this process has threads whose locks a copy would hold for ever, nor spawned, for that
        # runs the program of whoever serves once more.
        ours, theirs = socket.socketpair()
        with theirs:
            code = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
            code += "from kinfold.serve import decoder; decoder.work()"
            given = json.dumps(sys.path), str(theirs.fileno()), str(self._pixels)
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, *given],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._pipe = Connection(ours.detach())

    def ask(self, job: tuple[Any, ...], seconds: float) -> Any:
        if self._process is None:
            self.start()
        try:
            self._pipe.send(job)
            if not self._pipe.poll(seconds):
                self.end()
                raise ImageError(f"decoding takes longer than {seconds:g} seconds")
            found = self._pipe.recv()
        except (EOFError, OSError):
            self.end()
            raise ImageError("its decoder ended, for want of memory or by a fault") from None
        if isinstance(found, ImageError):
            raise found
        return found

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._pipe.close()
            self._process = None


def work() -> None:
    """What a process does, until nobody is at the other end."""
    pipe, pixels = Connection(int(sys.argv[2])), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends it
    _bound_memory(_LIBRARIES + _BYTES_OF_A_PIXEL * pixels)
    while True:
        try:
            kind, source, side = pipe.recv()
        except EOFError:
            return
        try:
            # The gallery's own photos were decoded when they came into it.
            most = pixels if isinstance(source, bytes) else None
            decoded = decode(source, max_side=side, max_pixels=most)
            pipe.send(thumbnail_jpeg(decoded.pixels, side) if kind == "thumbnail" else decoded)
        except ImageError as error:
            pipe.send(ImageError(str(error), error.cause))


def _bound_memory(size: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
