"""One writer at a time. Readers take no lock."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinfold.base.errors import GalleryError


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the gallery's advisory lock; the system frees it when the process ends, however it ends.

    Raises GalleryError naming the process that holds it.
    """
    # The file stays: removing it would let two writers lock two files of the same name.
    descriptor = os.open(folder / "LOCK", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = (
                os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
            )
            raise GalleryError(f"{folder}: is being written to by {holder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
