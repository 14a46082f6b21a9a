"""One writer at a time. Readers take no lock."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinfold.base.errors import GalleryError
from kinfold.gallery.own import open_own
from kinfold.gallery.store import LOCK


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the gallery's advisory lock; the system frees it when the process ends, however it ends.

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
        yield
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


def _told(descriptor: int) -> str:
    """What the holder wrote of itself."""
    text = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
    return text or "another process"
