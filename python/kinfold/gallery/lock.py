"""One writer at a time. Readers take no lock."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kinfold.base.errors import GalleryError
from kinfold.gallery.own import open_own
from kinfold.gallery.store import LOCK

# How far the writer is stands behind who it is, in so many bytes, so that it is read as it was written.
_AT, _LENGTH = 256, 128
Tell = Callable[[str, int, int], None]


@contextmanager
def writer_lock(folder: Path) -> Iterator[Tell]:
    """Hold the gallery's advisory lock; the system frees it when the process ends, however it ends.

    Gives a function that tells other processes how far the work is: what is being done, how much of it, of how much.
    Raises GalleryError naming the process that holds it.
    """
    # The file stays: removing it would let two writers lock two files of the same name.
    descriptor = open_own(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GalleryError(f"{folder}: is being written to by {_told(descriptor)}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

        def tell(stage: str, done: int, of: int) -> None:
            text = json.dumps([stage, done, of])
            with suppress(OSError):  # a full disk is told of by the work itself
                os.pwrite(descriptor, f"{text:<{_LENGTH}.{_LENGTH}}".encode(), _AT)

        yield tell
    finally:
        os.close(descriptor)


def writer(folder: Path) -> str | None:
    """The process that is writing to a gallery; None where there is none, or nobody may know."""
    try:
        descriptor = open_own(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _told(descriptor)
    finally:
        os.close(descriptor)


def progress_of_writer(folder: Path) -> tuple[str, int, int] | None:
    """What the process that is writing does, how much of it is done, and of how much; None where nobody writes.

    ("", 0, 0) where it has not told.
    """
    if writer(folder) is None:
        return None
    try:
        descriptor = open_own(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        stage, done, of = json.loads(os.pread(descriptor, _LENGTH, _AT))
        return str(stage), int(done), int(of)
    except (ValueError, TypeError):
        return "", 0, 0
    finally:
        os.close(descriptor)


def _told(descriptor: int) -> str:
    """What the holder wrote of itself."""
    text = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
    return text or "another process"
