"""The gallery as it is now: opened anew when another process has brought it up to date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from kinfold.base.errors import KinfoldError
from kinfold.gallery.gallery import Gallery
from kinfold.gallery.store import MANIFEST


@dataclass
class Held:
    """A gallery as one manifest says.

    number : of the manifests that were opened, so that what was made of an older one is known to be
    users : requests that read it now
    """

    gallery: Gallery
    number: int
    stamp: tuple[int, int, int]
    users: int = 0


class OpenGallery:
    """One gallery at a time, closed when the last request that reads it is answered.

    path : its folder
    Raises what ``Gallery.open`` raises.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = Lock()
        stamp = self._stamp()
        self._now = Held(Gallery.open(path), 1, stamp)

    @contextmanager
    def use(self) -> Iterator[Held]:
        """The gallery, which stays open within the block."""
        with self._lock:
            held = self._now
            held.users += 1
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                over = held is not self._now and not held.users
            if over:
                held.gallery.close()

    def look(self) -> bool:
        """Open the gallery anew if its manifest is another one. Whether it was.

        Until that can be read whole, the old one answers.
        """
        stamp = self._stamp()
        if stamp == self._now.stamp:
            return False
        fresh = Gallery.open(self.path)
        try:
            self.prepare(fresh)
        except BaseException:
            fresh.close()
            raise
        with self._lock:
            before, self._now = self._now, Held(fresh, self._now.number + 1, stamp)
            over = not before.users
        if over:
            before.gallery.close()
        return True

    @staticmethod
    def prepare(gallery: Gallery) -> None:
        """Read what the first query would have to wait for; a gallery that has no index yet has nothing of that."""
        try:
            gallery._reader.describer_of_queries()
        except KinfoldError:
            if len(gallery) and "graph" in gallery._store.read().parts:
                raise

    def close(self) -> None:
        """Close it."""
        self._now.gallery.close()

    def _stamp(self) -> tuple[int, int, int]:
        """What changes with the manifest, which is replaced as a whole."""
        try:
            status = os.stat(self.path / MANIFEST)
        except OSError:
            return 0, 0, 0
        return status.st_mtime_ns, status.st_ino, status.st_size
